// A conversation that the gateway remembers, with OpenAI's own Node SDK and its Responses API: each turn names the one before.
// usage, with HAYATE_API_KEY in the environment: node examples/node/conversation.mjs [question] [question] …

import OpenAI from "openai";

const client = new OpenAI({
  baseURL: `${process.env.HAYATE_URL ?? "http://127.0.0.1:8080"}/v1`,
  apiKey: process.env.HAYATE_API_KEY,
});

const questions = process.argv.slice(2);
try {
  let previous; // of the first turn there is none
  for (const input of questions.length ? questions : ["こんにちは", "もう一度お願いします"]) {
    const stream = await client.responses.create({
      model: "default",
      input,
      previous_response_id: previous,
      temperature: 0, // the same conversation gives the same answers
      max_output_tokens: 200,
      stream: true,
    });
    for await (const event of stream) {
      if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
      if (event.type === "response.completed" || event.type === "response.incomplete") previous = event.response.id;
    }
    process.stdout.write("\n");
  }
  console.error(`[${previous}]`);
} catch (error) {
  console.error(`${error.constructor.name}: ${error.message}`);
  process.exitCode = 1;
}
