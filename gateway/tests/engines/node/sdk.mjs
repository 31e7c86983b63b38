// What a program written for OpenAI's Node package sees through the gateway, as one JSON object on standard output.
// usage: BASE_URL=… API_KEY=… BROKEN_URL=… node sdk.mjs < requests.json
import OpenAI from "openai";
import { readFileSync } from "node:fs";

const { BASE_URL, API_KEY, BROKEN_URL } = process.env;
const requests = JSON.parse(readFileSync(0, "utf8"));
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const broken = new OpenAI({ baseURL: BROKEN_URL, apiKey: API_KEY, maxRetries: 0 });
const create = (body, from = client, options = {}) => from.chat.completions.create(body, options);

async function failure(call) {
  try {
    await call();
    return { class: null };
  } catch (error) {
    return { class: error.constructor.name, status: error.status ?? null, code: error.code ?? null, param: error.param ?? null };
  }
}

async function streamed(body, from = client) {
  const heard = { text: "", finish_reason: null, usage: null };
  for await (const chunk of await create({ ...body, stream: true, stream_options: { include_usage: true } }, from)) {
    for (const choice of chunk.choices) {
      heard.text += choice.delta.content ?? "";
      heard.finish_reason = choice.finish_reason ?? heard.finish_reason;
    }
    heard.usage = chunk.usage ?? heard.usage;
  }
  return heard;
}

async function assembled(body) {
  const stream = client.chat.completions.stream(body);
  const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
  return { text: message.content ?? "", calls: message.tool_calls.map((call) => JSON.parse(call.function.arguments)), finish_reason };
}

const whole = (await create(requests.japanese)).choices[0];
const tools = (await create(requests.tools)).choices[0];
const models = [];
for await (const model of client.models.list()) models.push(model.id);

console.log(
  JSON.stringify({
    models,
    whole: { text: whole.message.content, finish_reason: whole.finish_reason },
    streamed: await streamed(requests.japanese),
    tools: tools.message.tool_calls.map((call) => JSON.parse(call.function.arguments)),
    assembled: await assembled(requests.text_then_tool),
    schema: JSON.parse((await create(requests.schema)).choices[0].message.content),
    errors: {
      wrong_key: await failure(() => create(requests.japanese, client.withOptions({ apiKey: "sk-wrong" }))),
      unknown_model: await failure(() => create({ ...requests.japanese, model: "gpt-nonesuch" })),
      bad_field: await failure(() => create({ ...requests.japanese, temperature: -1 })),
      rate_limit: await failure(() => create({ ...requests.japanese, model: "limited" }, broken)),
      engine_error: await failure(() => create({ ...requests.japanese, model: "failing" }, broken)),
      broken_stream: await failure(() => streamed({ ...requests.japanese, model: "breaking" }, broken)),
      timeout: await failure(() => create({ ...requests.japanese, model: "silent" }, broken, { timeout: 500 })),
    },
  }),
);
