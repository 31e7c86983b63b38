// One call: a chat request is sent, and its events are handed on as they come.
// Not over EventSource, which hides why a question was refused and, when it loses its stream, connects again by itself.

import { eventsOf } from "./events.js";
import { answerOf, posting, Trouble } from "./gateway.js";

export const PATH = "v1/chat/completions";
/** Said in the request's samples, too. */
export const HEADERS = { "x-hayate-queue": "events" };

/**
 * @typedef {Record<string, unknown>} Body
 * @typedef {object} Follower
 * @property {(headers: Headers) => void} opened
 * @property {(event: import("./events.js").StreamEvent) => void} event
 * @property {() => void} over the stream is at its end, whether or not it has told one
 * @property {(trouble: Trouble) => void} refused
 */

/** Sends `body` once. Returns what stops it; nothing is reported after that. @param {Body} body @param {Follower} on */
export function call(body, on) {
  const stopper = new AbortController();
  follow(body, on, stopper.signal);
  return () => stopper.abort();
}

/** @param {Body} body @param {Follower} on @param {AbortSignal} signal */
async function follow(body, on, signal) {
  const began = performance.now();
  const request = posting(body);
  let response;
  try {
    response = await answerOf(PATH, { ...request, headers: { ...request.headers, ...HEADERS }, signal });
  } catch (error) {
    if (!signal.aborted) on.refused(error instanceof Trouble ? error : new Trouble({ code: "unreachable" }));
    return;
  }
  if (signal.aborted) return;
  on.opened(response.headers);
  try {
    if (response.body) {
      for await (const event of eventsOf(response.body, () => performance.now() - began)) {
        if (signal.aborted) return;
        on.event(event);
      }
    }
  } catch { /* the connection was lost */ }
  if (!signal.aborted) on.over();
}
