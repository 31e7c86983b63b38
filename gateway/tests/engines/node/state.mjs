// What was said is left to the gateway by a program written for OpenAI's Node package, as one JSON object on standard output: a chain
// of responses, a conversation in two dialects, and a loop of function calls. Each prompt's tokens stand beside those of the same
// call with everything sent along.
// usage: BASE_URL=… API_KEY=… node state.mjs < {"models": […], "said": […], "tools": …, "tool": {…}, "rounds": …}
import OpenAI from "openai";

const { BASE_URL, API_KEY } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const given = JSON.parse(Buffer.concat(chunks).toString("utf8"));
const SHORT = { temperature: 0, max_output_tokens: 20 };

const text = (item) => item.content.map((part) => part.text).join("");

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

async function respond(asked, streams) {
  return streams ? client.responses.stream(asked).finalResponse() : client.responses.create(asked);
}

async function reference(model, input, more = {}) {
  const asked = { model, input, temperature: 0, max_output_tokens: 16, store: false, ...more };
  return (await client.responses.create(asked)).usage.input_tokens;
}

function again(response) {
  return response.output
    .filter((item) => item.type === "message" || item.type === "function_call")
    .map(({ parsed_arguments: _, ...item }) => item);
}

async function chain(model) {
  const found = { prompts: [], references: [], ids: [], previous: [], texts: [], retrieved: [], inputs: [] };
  const said = [];
  for (const [n, input] of given.said.entries()) {
    const asked = { model, input, ...SHORT, ...(n ? { previous_response_id: found.ids[n - 1] } : {}) };
    const response = await respond(asked, n % 2 === 1);
    said.push({ role: "user", content: input });
    found.prompts.push(response.usage.input_tokens);
    found.references.push(await reference(model, said));
    found.ids.push(response.id);
    found.previous.push(response.previous_response_id);
    found.texts.push(response.output_text);
    said.push(...again(response));
  }
  for (const id of found.ids) {
    found.retrieved.push((await client.responses.retrieve(id)).output_text);
    found.inputs.push(...(await all(client.responses.inputItems.list(id))).map(text));
  }
  return found;
}

async function chat(model, content, conversation, streams) {
  const asked = { model, messages: [{ role: "user", content }], temperature: 0, max_tokens: 20, conversation };
  if (!streams) {
    const { data, response } = await client.chat.completions.create(asked).withResponse();
    const named = response.headers.get("x-hayate-conversation");
    return { prompt: data.usage.prompt_tokens, answer: data.choices[0].message.content, named };
  }
  const options = { stream: true, stream_options: { include_usage: true } };
  const { data, response } = await client.chat.completions.create({ ...asked, ...options }).withResponse();
  const found = { prompt: 0, answer: "", named: response.headers.get("x-hayate-conversation") };
  for await (const chunk of data) {
    found.answer += chunk.choices.map((choice) => choice.delta.content ?? "").join("");
    found.prompt = chunk.usage?.prompt_tokens ?? found.prompt;
  }
  return found;
}

async function conversation(model) {
  const { id } = await client.conversations.create({ metadata: { title: "東京" } });
  const found = { id, prompts: [], references: [], texts: [], items: [], named: [] };
  const messages = [];
  for (const [n, content] of given.said.slice(0, 6).entries()) {
    messages.push({ role: "user", content });
    let told;
    if (n % 3 < 2) {
      const response = await respond({ model, input: content, conversation: id, ...SHORT }, n % 3 === 1);
      told = { prompt: response.usage.input_tokens, answer: response.output_text, named: response.conversation.id };
    } else {
      told = await chat(model, content, id, n === 5);
    }
    const whole = await client.chat.completions.create({ model, messages, temperature: 0, max_tokens: 1 });
    messages.push({ role: "assistant", content: told.answer });
    found.prompts.push(told.prompt);
    found.references.push(whole.usage.prompt_tokens);
    found.named.push(told.named);
  }
  found.texts = messages.map((message) => message.content);
  found.items = (await all(client.conversations.items.list(id, { order: "asc" }))).map(text);
  return found;
}

async function loop(model, by) {
  const found = { calls: [], prompts: [], references: [] };
  const tools = [given.tool];
  const said = [];
  let state = by === "conversation" ? { conversation: (await client.conversations.create()).id } : {};
  let input = [{ role: "user", content: given.tools }];
  for (let n = 0; n < given.rounds; n += 1) {
    const asked = { model, tools, temperature: 0, max_output_tokens: 120, input, ...state };
    const response = await respond(asked, n % 2 === 0);
    said.push(...input);
    found.prompts.push(response.usage.input_tokens);
    found.references.push(await reference(model, said, { tools }));
    said.push(...again(response));
    const calls = response.output.filter((item) => item.type === "function_call");
    if (n === 0) found.calls = calls.map((call) => JSON.parse(call.arguments));
    if (!calls.length || response.status !== "completed") break;
    input = calls.map(({ call_id }) => ({ type: "function_call_output", call_id, output: "晴れ" }));
    if (by !== "conversation") state = { previous_response_id: response.id };
  }
  return found;
}

const found = {};
for (const model of given.models) {
  found[model] = {
    chain: await chain(model),
    conversation: await conversation(model),
    loop: await loop(model, "previous_response_id"),
    "loop in a conversation": await loop(model, "conversation"),
  };
}
console.log(JSON.stringify(found));
