// The very request of a turn, as others would send it. The key stays in the environment.

import { HEADERS, PATH } from "./calling.js";

/** @typedef {Record<string, unknown>} Body */

/** What OpenAI's Python library has arguments for; the rest goes into its `extra_body`. */
const ARGUMENTS = new Set(
  ("model messages stream stream_options max_tokens max_completion_tokens temperature top_p seed stop n tools tool_choice " +
    "parallel_tool_calls response_format presence_penalty frequency_penalty logit_bias logprobs top_logprobs user reasoning_effort").split(" "),
);

const url = () => new URL(PATH, document.baseURI).href;
const base = () => new URL("v1", document.baseURI).href;

/** @param {Body} body */
export function asCurl(body) {
  const quoted = (/** @type {string} */ text) => `'${text.replaceAll("'", "'\\''")}'`;
  const told = Object.entries(HEADERS).map(([name, value]) => `-H '${name}: ${value}' `).join("");
  return `curl -N ${url()} -H "Authorization: Bearer $HAYATE_API_KEY" -H 'Content-Type: application/json' ${told}-d ${quoted(JSON.stringify(body))}`;
}

/** @param {Body} body */
export function asPython(body) {
  const known = Object.entries(body).filter(([name]) => ARGUMENTS.has(name));
  const other = Object.fromEntries(Object.entries(body).filter(([name]) => !ARGUMENTS.has(name)));
  const lines = known.map(([name, value]) => `    ${name}=${python(value, 1)},`);
  if (Object.keys(other).length) lines.push(`    extra_body=${python(other, 1)},`);
  lines.push(`    extra_headers=${python(HEADERS, 1)},`);
  return `import os

from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(base())}, api_key=os.environ["HAYATE_API_KEY"])
answer = client.chat.completions.create(
${lines.join("\n")}
)
for chunk in answer:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)
`;
}

/** @param {Body} body */
export function asJavaScript(body) {
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${JSON.stringify(base())}, apiKey: process.env.HAYATE_API_KEY });
const answer = await client.chat.completions.create(
  ${JSON.stringify(body, null, 2).replaceAll("\n", "\n  ")},
  { headers: ${JSON.stringify(HEADERS)} },
);
for await (const chunk of answer) process.stdout.write(chunk.choices[0]?.delta?.content ?? "");
`;
}

/** A value as Python writes it. @param {unknown} value @param {number} depth @returns {string} */
function python(value, depth) {
  const [inner, outer] = ["    ".repeat(depth + 1), "    ".repeat(depth)];
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return pythonText(value);
  if (Array.isArray(value)) {
    return value.length ? `[\n${value.map((each) => `${inner}${python(each, depth + 1)},\n`).join("")}${outer}]` : "[]";
  }
  const pairs = Object.entries(value).map(([name, each]) => `${inner}${pythonText(name)}: ${python(each, depth + 1)},\n`);
  return pairs.length ? `{\n${pairs.join("")}${outer}}` : "{}";
}

/** JSON's texts are Python's, but for halves of characters. @param {string} text */
const pythonText = (text) => JSON.stringify(text.toWellFormed()).replaceAll("\u007f", "\\u007f");
