// What the events of a chat's stream say. The same reader serves an answer as it comes and its replay.

/**
 * @typedef {{ prompt_tokens?: number, completion_tokens?: number, prompt_tokens_details?: { cached_tokens?: number } | null }} Usage
 * @typedef {{ index: number, id?: string, function?: { name?: string, arguments?: string } }} CallDelta
 * @typedef {{ status?: number | undefined, code?: string | undefined, message?: string, param?: string | null | undefined }} Failure
 * @typedef {object} Listener
 * @property {(place: number, waitS: number | null) => void} queued
 * @property {(model: string, begun: boolean) => void} loading the model is being loaded, or waits for that
 * @property {(said: { content?: string, reasoning?: string, calls?: CallDelta[] }, atMs: number) => void} said
 * @property {(end: { reason: string, usage: Usage | null, model: string }) => void} done
 * @property {(failure: Failure) => void} failed
 */

export class ChatReader {
  /** Whether the stream has told its end, good or bad. */
  ended = false;
  #on;
  #reason = "";
  #model = "";
  /** @type {Usage | null} */
  #usage = null;

  /** @param {Listener} on */
  constructor(on) {
    this.#on = on;
  }

  /** @param {import("./events.js").StreamEvent} event */
  take({ comment, data, atMs }) {
    if (this.ended) return;
    if (comment !== undefined) this.#waiting(comment);
    else if (data === "[DONE]") {
      this.ended = true;
      this.#on.done({ reason: this.#reason, usage: this.#usage, model: this.#model });
    } else if (data !== undefined) this.#chunk(data, atMs);
  }

  /** @param {string} comment */
  #waiting(comment) {
    const told = /^queue place=(\d+)(?: wait_s=([\d.]+))?/.exec(comment);
    if (told) this.#on.queued(Number(told[1]), told[2] === undefined ? null : Number(told[2]));
    const model = /^(loading|waiting) model=(\S+)/.exec(comment);
    if (model) this.#on.loading(model[2] ?? "", model[1] === "loading");
  }

  /** @param {string} data @param {number} atMs */
  #chunk(data, atMs) {
    const chunk = parsed(data);
    if (chunk?.error) {
      this.ended = true;
      this.#on.failed(chunk.error);
      return;
    }
    this.#usage = chunk?.usage ?? this.#usage;
    this.#model = chunk?.model ?? this.#model;
    const choice = chunk?.choices?.[0];
    this.#reason = choice?.finish_reason ?? this.#reason;
    const { content, reasoning, reasoning_content: thought, tool_calls: calls } = choice?.delta ?? {};
    if (content || reasoning || thought || calls?.length) this.#on.said({ content, reasoning: reasoning || thought, calls }, atMs);
  }
}

/** @param {string} data @returns {any} */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return null; // an engine may say anything
  }
}
