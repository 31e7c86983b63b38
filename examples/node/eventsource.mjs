// A streamed answer over EventSource, outside a browser: here the key can travel in a header.
// In a browser it can't: there the page signs in once (POST /session) and the session's cookie goes along by itself.
// usage, with HAYATE_API_KEY in the environment: node examples/node/eventsource.mjs [question]

import { EventSource } from "eventsource";

const gateway = process.env.HAYATE_URL ?? "http://127.0.0.1:8080";
const headers = { Authorization: `Bearer ${process.env.HAYATE_API_KEY}` };
const question = new URLSearchParams({ prompt: process.argv.slice(2).join(" ") || "こんにちは", temperature: "0" });

const source = new EventSource(`${gateway}/generate_stream?${question}`, {
  fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, ...headers } }),
});

source.addEventListener("message", ({ data }) => process.stdout.write(JSON.parse(data).delta));

// An EventSource connects again by itself, only to be turned away: close it when the answer is there…
source.addEventListener("done", ({ data }) => {
  source.close();
  const { usage, finish_reason: reason } = JSON.parse(data);
  console.error(`\n[${usage.completion_tokens} tokens, ${reason}]`);
});

// …and on every error: the gateway's own (with data), a refusal (with its status), a lost connection (with neither).
source.addEventListener("error", ({ data, code, message }) => {
  source.close();
  console.error(data ? JSON.parse(data).error.message : `${code ?? ""} ${message ?? "The connection was lost."}`.trim());
  process.exitCode = 1;
});
