// A streamed answer with OpenAI's own Node SDK: only `baseURL` and the key differ from OpenAI.
// usage, with HAYATE_API_KEY in the environment: node examples/node/openai.mjs [question]

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.HAYATE_URL ?? "http://127.0.0.1:8080"}/v1`,
  apiKey: process.env.HAYATE_API_KEY,
});

try {
  const stream = await client.chat.completions.create({
    model: "default",
    messages: [{ role: "user", content: process.argv.slice(2).join(" ") || "こんにちは" }],
    temperature: 0, // the same question gives the same answer
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const { choices, usage } of stream) {
    process.stdout.write(choices[0]?.delta.content ?? "");
    if (usage) console.error(`\n[${usage.prompt_tokens} + ${usage.completion_tokens} tokens]`);
  }
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
