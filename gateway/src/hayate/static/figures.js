// What is measured of one answer: what it waited for, when its first token came, how fast the rest.
// Times come with the events, so a replay has the same figures. Until the engine's own count comes, one delta is taken for one token.

import { texts } from "./texts.js";

/** What came in one burst has no speed worth showing. */
const SHORTEST_S = 0.05;
const SILENT_MS = 3000;

export class Figures {
  /** Between each two deltas, in ms. @type {number[]} */
  gaps = [];
  #deltas = 0;
  /** @type {number | null} */
  #firstMs = null;
  #lastMs = 0;
  /** @type {import("./reading.js").Usage | null} */
  usage = null;
  /** @type {{ place: number, waitS: number | null } | null} */
  queue = null;
  /** What is told of a model that is not loaded. */
  loading = "";
  /** Since something came last. */
  silentMs = 0;
  /** Whether nothing more comes. */
  over = false;

  /** @param {number} atMs */
  token(atMs) {
    if (this.#firstMs === null) this.#firstMs = atMs;
    else this.gaps.push(atMs - this.#lastMs);
    this.#lastMs = atMs;
    this.#deltas += 1;
    this.queue = null;
    this.loading = "";
    this.silentMs = 0;
  }

  get #seconds() {
    return (this.#lastMs - (this.#firstMs ?? 0)) / 1000;
  }

  /** One line, whose words may be wrapped between its parts alone. */
  toString() {
    const parts = [];
    /** @param {...(string | number)} words */
    const add = (...words) => parts.push(words.join("\u00a0"));
    if (this.queue) {
      add(texts.queued(this.queue.place), ...(this.queue.waitS === null ? [] : [texts.about(this.queue.waitS.toFixed(1))]));
    } else if (this.#firstMs === null && !this.over) parts.push(texts.waiting);
    if (this.loading) parts.push(this.loading);
    if (this.#firstMs !== null) add(texts.firstToken, Math.round(this.#firstMs), "ms");
    const counted = this.usage?.completion_tokens;
    const tokens = counted ?? this.#deltas;
    const about = counted === undefined ? "~" : "";
    if (tokens > 1 && this.#seconds > SHORTEST_S) add(about + ((tokens - 1) / this.#seconds).toFixed(1), texts.perSecond);
    const cached = this.usage?.prompt_tokens_details?.cached_tokens;
    if (this.usage?.prompt_tokens !== undefined) {
      add(texts.tokensIn, this.usage.prompt_tokens + (cached ? texts.cached(cached) : ""));
    }
    if (tokens) add(...texts.tokensOut(about + tokens));
    if (this.silentMs > SILENT_MS) add(texts.silent(Math.floor(this.silentMs / 1000)));
    return parts.join(" · ");
  }
}
