// The calls that have ended, the latest first: as many as whoever scrolls asks for, of which the rows in sight alone are on the page.

import { byId, made } from "./elements.js";
import { ask } from "./operator.js";
import { frame, shownAs } from "./tables.js";
import { seconds, time } from "./times.js";

const COLUMNS = /** @type {const} */ (["ended", "key", "model", "status", "queuedFor", "firstToken", "duration", "tokensIn", "cachedTokens", "out"]);
const FIRST_FIGURE = COLUMNS.indexOf("queuedFor");
const LATEST = 50;
const OLDER = 500;
/** So many rows are kept at most. */
const MOST = 20_000;
/** Rows are put on the page in steps of so many, and so many beyond what is in sight. */
const STEP = 10;
const AHEAD = 20;

/** @typedef {{ id: string, ended_at: string, key: string, model: string, status: number, error: string | null, queued_ms: number, ttft_ms: number | null, total_ms: number, input_tokens: number, cached_tokens: number, output_tokens: number }} Call */

export class EndedCalls {
  #box;
  #body;
  #none;
  #named;
  #tried;
  #above = made("tr", "space", made("td"));
  #below = made("tr", "space", made("td"));
  /** @type {Call[]} */
  #rows = [];
  #more = false;
  /** Which calls these are. @type {string} */
  #which = "";
  #shown = "";
  /** Counted up whenever the rows are others. */
  #asked = 0;
  #loading = false;
  #frame = 0;
  #rowPx = 30;
  #from = -1;

  /** @param {HTMLElement} place @param {(id: string) => string} named @param {(act: () => Promise<void>) => unknown} tried */
  constructor(place, named, tried) {
    this.#named = named;
    this.#tried = tried;
    const { box, body, none, align } = frame(place, "endedCalls", [...COLUMNS]);
    this.#box = box;
    this.#body = body;
    this.#none = none;
    align(COLUMNS.map((_, column) => column >= FIRST_FIGURE));
    box.classList.add("ended-calls");
    box.before(byId("filter", HTMLElement)); // what says which calls these are
    box.addEventListener("scroll", () => { this.#frame ||= requestAnimationFrame(() => this.#scrolled()); }, { passive: true });
  }

  /** What is to be asked for: the latest of them; null while somebody reads further down. @param {URLSearchParams} which */
  wanted(which) {
    return this.#isRead(which) ? null : new URLSearchParams([...which, ["limit", String(LATEST)]]);
  }

  /** @param {URLSearchParams} which */
  #isRead(which) {
    return which.toString() === this.#which && this.#box.scrollTop > 0;
  }

  /** @param {URLSearchParams} which @param {{ data: Call[], has_more: boolean }} told */
  show(which, { data, has_more: more }) {
    const now = JSON.stringify([document.documentElement.lang, data.map(({ id, key }) => [id, this.#named(key)])]);
    if (this.#isRead(which) || (now === this.#shown && which.toString() === this.#which)) return;
    this.#shown = now;
    this.#which = which.toString();
    this.#asked += 1;
    this.#loading = false;
    this.#rows = data;
    this.#more = more;
    this.#box.scrollTop = 0;
    this.#draw(true);
  }

  clear() {
    this.#box.scrollTop = 0;
    this.show(new URLSearchParams(), { data: [], has_more: false });
  }

  #scrolled() {
    this.#frame = 0;
    this.#draw(false);
    const left = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight;
    if (this.#more && !this.#loading && left < AHEAD * this.#rowPx) this.#tried(() => this.#load());
  }

  async #load() {
    const [asked, last] = [this.#asked, this.#rows.at(-1)];
    if (!last) return;
    this.#loading = true;
    try {
      const { data, has_more: more } = await ask(`admin/calls?${new URLSearchParams([...new URLSearchParams(this.#which), ["limit", String(OLDER)], ["before", last.id]])}`);
      if (asked !== this.#asked) return;
      this.#rows = this.#rows.concat(data);
      this.#more = more && this.#rows.length < MOST;
      this.#draw(true);
    } finally {
      if (asked === this.#asked) this.#loading = false;
    }
  }

  /** @param {boolean} anew */
  #draw(anew) {
    const first = Math.floor(this.#box.scrollTop / this.#rowPx / STEP) * STEP;
    const from = Math.max(0, Math.min(first, this.#rows.length) - AHEAD);
    if (!anew && from === this.#from) return;
    this.#from = from;
    const shown = this.#rows.slice(from, first + Math.ceil(innerHeight / this.#rowPx) + STEP + AHEAD);
    const rows = shown.map((call, n) => this.#row(call, from + n));
    this.#space(this.#above, from);
    this.#space(this.#below, this.#rows.length - from - shown.length);
    this.#body.replaceChildren(this.#above, ...(rows.length ? rows : [this.#none()]), this.#below);
    this.#box.firstElementChild?.setAttribute("aria-rowcount", String(this.#more ? -1 : this.#rows.length + 1));
    if (anew && rows[0]?.offsetHeight) this.#rowPx = rows[0].getBoundingClientRect().height;
  }

  /** @param {HTMLElement} element @param {number} rows */
  #space(element, rows) {
    element.hidden = rows === 0;
    element.style.height = `${rows * this.#rowPx}px`;
  }

  /** @param {Call} call @param {number} n */
  #row(call, n) {
    const cells = [
      time(call.ended_at), this.#named(call.key), call.model, call.error ? `${call.status} ${call.error}` : String(call.status), seconds(call.queued_ms), seconds(call.ttft_ms),
      seconds(call.total_ms), call.input_tokens, call.cached_tokens, call.output_tokens,
    ];
    const row = made("tr", "", ...cells.map((cell, column) => made("td", column >= FIRST_FIGURE ? "number" : "", shownAs(cell))));
    row.setAttribute("aria-rowindex", String(n + 2));
    return row;
  }
}
