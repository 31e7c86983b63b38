// Conversations as a program written for OpenAI's Node package drives them, as one JSON object on standard output.
// usage: BASE_URL=… API_KEY=… RESPONSE=… node conversations.mjs
import OpenAI from "openai";

const { BASE_URL, API_KEY, RESPONSE } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const talks = client.conversations;

async function failure(call) {
  try {
    await call();
    return { class: null };
  } catch (error) {
    return { class: error.constructor.name, status: error.status ?? null, code: error.code ?? null, param: error.param ?? null };
  }
}

async function all(pages) {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
}

const text = (item) => item.content.map((part) => part.text).join("");
const said = (role, content) => ({ type: "message", role, content });

const made = await talks.create({ metadata: { title: "旅行" }, items: [said("user", "京都へ行きたい")] });
const shown = await talks.retrieve(made.id);
const renamed = await talks.update(made.id, { metadata: { title: "京都" } });
const added = await talks.items.create(made.id, {
  items: Array.from({ length: 20 }, (_, n) => said(n % 2 ? "user" : "assistant", `その${n}`)),
  include: ["message.output_text.logprobs"],
});
const forward = await all(talks.items.list(made.id, { limit: 6, order: "asc" }));
const backward = await all(talks.items.list(made.id, { limit: 6 }));
const after = await talks.items.list(made.id, { after: added.last_id });
const one = await talks.items.retrieve(added.first_id, { conversation_id: made.id });
const left = await talks.items.delete(added.first_id, { conversation_id: made.id });
const few = await all(talks.items.list(made.id));
const response = await client.responses.retrieve(RESPONSE);
const input = await all(client.responses.inputItems.list(RESPONSE, { limit: 1 }));
await client.responses.delete(RESPONSE);
const deleted = await talks.delete(made.id);

console.log(
  JSON.stringify({
    made,
    same: JSON.stringify(shown) === JSON.stringify(made),
    renamed: renamed.metadata,
    added: { object: added.object, count: added.data.length, has_more: added.has_more },
    forward: forward.map(text),
    backward: backward.map(text),
    after: after.data.map(text),
    one: text(one),
    left: left.id === made.id,
    few: few.length,
    response: { text: response.output_text, status: response.status },
    input: input.map(text),
    deleted,
    errors: {
      gone: await failure(() => talks.retrieve(made.id)),
      item: await failure(() => talks.items.retrieve(added.first_id, { conversation_id: made.id })),
      many: await failure(() => talks.create({ items: Array(21).fill(said("user", "x")) })),
      metadata: await failure(() => talks.create({ metadata: { title: "x".repeat(513) } })),
      response: await failure(() => client.responses.retrieve(RESPONSE)),
      cancel: await failure(() => client.responses.cancel(RESPONSE)),
      compact: await failure(() => client.responses.compact({ model: "default", input: "x" })),
      count: await failure(() => client.responses.inputTokens.count({ model: "default", input: "x" })),
    },
  }),
);
