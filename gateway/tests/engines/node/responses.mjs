// /v1/responses as a program written for OpenAI's Node package drives it, as one JSON object on standard output.
// usage: BASE_URL=… API_KEY=… node responses.mjs < {"models": […], "text": …, "tools": …, "tool": {…}}
import OpenAI from "openai";

const { BASE_URL, API_KEY } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const given = JSON.parse(Buffer.concat(chunks).toString("utf8"));

async function refused(model) {
  try {
    await client.responses.create({ model, input: "x", background: true });
    return null;
  } catch (error) {
    return { class: error.constructor.name, status: error.status ?? null, param: error.param ?? null };
  }
}

async function drive(model) {
  const asked = { model, temperature: 0 };
  const whole = await client.responses.create({ ...asked, input: given.text });

  let deltas = "";
  let last = null;
  const stream = client.responses.stream({ ...asked, input: given.text });
  for await (const event of stream) {
    if (event.type === "response.output_text.delta") deltas += event.delta;
    last = event.type;
  }
  const final = await stream.finalResponse();

  const input = [{ role: "user", content: given.tools }];
  const called = await client.responses.stream({ ...asked, input, tools: [given.tool] }).finalResponse();
  const calls = called.output.filter((item) => item.type === "function_call");
  input.push(...calls.map(({ type, call_id, name, arguments: said }) => ({ type, call_id, name, arguments: said })));
  input.push(...calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "晴れ" })));
  const after = await client.responses.create({ ...asked, input, tools: [given.tool], max_output_tokens: 32 });

  return {
    whole: whole.output_text,
    streamed: final.output_text,
    deltas,
    last,
    usage: { input: final.usage.input_tokens, output: final.usage.output_tokens, total: final.usage.total_tokens },
    calls: calls.map((call) => JSON.parse(call.arguments)),
    after: after.status,
    refused: await refused(model),
  };
}

const found = {};
for (const model of given.models) found[model] = await drive(model);
console.log(JSON.stringify(found));
