// The calls that have ended, the latest first, as many as whoever scrolls asks for.

import { byId } from "./elements.js";
import { ask } from "./operator.js";
import { Rows } from "./rows.js";
import { seconds, time } from "./times.js";

const COLUMNS = /** @type {const} */ (["ended", "key", "model", "status", "queuedFor", "firstToken", "duration", "tokensIn", "cachedTokens", "out"]);
const FIRST_FIGURE = COLUMNS.indexOf("queuedFor");
const LATEST = 50;
const OLDER = 500;

/** @typedef {{ id: string, ended_at: string, key: string, model: string, status: number, error: string | null, queued_ms: number, ttft_ms: number | null, total_ms: number, input_tokens: number, cached_tokens: number, output_tokens: number }} Call */

export class EndedCalls {
  /** @type {Rows<Call>} */
  #rows;
  #named;
  /** Which calls these are. @type {string} */
  #which = "";
  #shown = "";

  /** @param {HTMLElement} place @param {(id: string) => string} named @param {(act: () => Promise<void>) => unknown} tried */
  constructor(place, named, tried) {
    this.#named = named;
    this.#rows = new Rows(place, "endedCalls", [...COLUMNS], {
      cells: (call) => this.#cells(call),
      load: ({ id }) => ask(`admin/calls?${new URLSearchParams([...new URLSearchParams(this.#which), ["limit", String(OLDER)], ["before", id]])}`),
      tried,
      isFigure: (column) => column >= FIRST_FIGURE,
    });
    this.#rows.box.classList.add("ended-calls");
    this.#rows.box.before(byId("filter", HTMLElement)); // what says which calls these are
  }

  /** What is to be asked for: the latest of them; null while somebody reads further down. @param {URLSearchParams} which */
  wanted(which) {
    return this.#isRead(which) ? null : new URLSearchParams([...which, ["limit", String(LATEST)]]);
  }

  /** @param {URLSearchParams} which */
  #isRead(which) {
    return which.toString() === this.#which && this.#rows.isRead;
  }

  /** @param {URLSearchParams} which @param {{ data: Call[], has_more: boolean }} told */
  show(which, { data, has_more: more }) {
    const now = JSON.stringify([document.documentElement.lang, data.map(({ id, key }) => [id, this.#named(key)])]);
    if (this.#isRead(which) || (now === this.#shown && which.toString() === this.#which)) return;
    this.#shown = now;
    this.#which = which.toString();
    this.#rows.toTop();
    this.#rows.fill(data, more);
  }

  clear() {
    this.#rows.toTop();
    this.show(new URLSearchParams(), { data: [], has_more: false });
  }

  /** @param {Call} call */
  #cells(call) {
    return [
      time(call.ended_at), this.#named(call.key), call.model, call.error ? `${call.status} ${call.error}` : String(call.status), seconds(call.queued_ms), seconds(call.ttft_ms),
      seconds(call.total_ms), call.input_tokens, call.cached_tokens, call.output_tokens,
    ];
  }
}
