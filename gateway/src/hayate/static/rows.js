// A long table, of which the rows in sight alone are on the page: as many as whoever scrolls asks for.

import { made } from "./elements.js";
import { frame, shownAs } from "./tables.js";

/** So many rows are kept at most. */
const MOST = 20_000;
/** Rows are put on the page in steps of so many, and so many beyond what is in sight. */
const STEP = 10;
const AHEAD = 20;

/** @typedef {import("./tables.js").Cell} Cell */
/** @template T @typedef {{ data: T[], has_more: boolean }} Page */

/** @template T */
export class Rows {
  #box;
  #body;
  #none;
  #cells;
  #load;
  #tried;
  #isFigure;
  #above = made("tr", "space", made("td"));
  #below = made("tr", "space", made("td"));
  /** @type {T[]} */
  #rows = [];
  #more = false;
  /** Counted up whenever the rows are others. */
  #asked = 0;
  #loading = false;
  #frame = 0;
  #rowPx = 30;
  #from = -1;
  /** The rows on the page, by their number. @type {Map<number, HTMLElement>} */
  #drawn = new Map();

  /**
   * @param {HTMLElement} place @param {import("./texts.js").Name} caption @param {import("./texts.js").Name[]} heads
   * @param {{ cells: (row: T) => Cell[], load: (last: T) => Promise<Page<T>>, tried: (act: () => Promise<void>) => unknown, isFigure?: (column: number) => boolean }} of
   */
  constructor(place, caption, heads, { cells, load, tried, isFigure = () => false }) {
    this.#cells = cells;
    this.#load = load;
    this.#tried = tried;
    this.#isFigure = isFigure;
    const { box, body, none, align } = frame(place, caption, heads);
    align(heads.map((_, column) => isFigure(column)));
    this.#box = box;
    this.#body = body;
    this.#none = none;
    box.classList.add("long");
    box.addEventListener("scroll", () => { this.#frame ||= requestAnimationFrame(() => this.#scrolled()); }, { passive: true });
  }

  get box() {
    return this.#box;
  }

  get rows() {
    return this.#rows;
  }

  /** Whether there are more than have been asked for. */
  get hasMore() {
    return this.#more;
  }

  /** Whether somebody reads further down. */
  get isRead() {
    return this.#box.scrollTop > 0;
  }

  toTop() {
    this.#box.scrollTop = 0;
  }

  /** Other rows; whoever reads stays where they are. @param {T[]} rows @param {boolean} more */
  fill(rows, more) {
    this.#asked += 1;
    this.#loading = false;
    this.#rows = rows;
    this.#more = more && rows.length < MOST;
    this.#draw(true);
    if (this.isRead) this.#loadAhead();
  }

  #scrolled() {
    this.#frame = 0;
    this.#draw(false);
    this.#loadAhead();
  }

  #loadAhead() {
    const left = this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight;
    if (this.#more && !this.#loading && left < AHEAD * this.#rowPx) this.#tried(() => this.#loadOn());
  }

  async #loadOn() {
    const [asked, last] = [this.#asked, this.#rows.at(-1)];
    if (!last) return;
    this.#loading = true;
    try {
      const { data, has_more: more } = await this.#load(last);
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
    const [focused, top] = [this.#focused(), this.#box.scrollTop];
    const shown = this.#rows.slice(from, first + Math.ceil(innerHeight / this.#rowPx) + STEP + AHEAD);
    const rows = shown.map((each, n) => (anew ? null : this.#drawn.get(from + n)) ?? this.#row(each, from + n));
    this.#space(this.#above, from);
    this.#space(this.#below, this.#rows.length - from - shown.length);
    if (anew) this.#body.replaceChildren(this.#above, ...(rows.length ? rows : [this.#none()]), this.#below);
    else this.#move(rows);
    this.#drawn = new Map(rows.map((row, n) => [from + n, row]));
    this.#box.firstElementChild?.setAttribute("aria-rowcount", String(this.#more ? -1 : this.#rows.length + 1));
    if (anew && rows[0]?.offsetHeight) this.#rowPx = rows[0].getBoundingClientRect().height;
    if (anew && this.#box.scrollTop !== top) this.#box.scrollTop = top; // taking away what has the focus may have moved it
    if (focused) rows.find((row) => row.ariaRowIndex === focused.row)?.querySelectorAll("button")[focused.button]?.focus({ preventScroll: true });
  }

  /** Others are in sight: those that stay are left where they are, for to put all of them anew takes longer than a frame. @param {HTMLElement[]} rows */
  #move(rows) {
    const stays = new Set(rows);
    for (const row of this.#drawn.values()) if (!stays.has(row)) row.remove();
    const there = rows.map((row) => row.isConnected);
    const [first, last] = [there.indexOf(true), there.lastIndexOf(true)];
    this.#above.after(...rows.slice(0, Math.max(first, 0)));
    this.#below.before(...rows.slice(last + 1));
  }

  /** Which button has the focus, in which row. */
  #focused() {
    const row = this.#body.contains(document.activeElement) ? document.activeElement?.closest("tr") : null;
    return row ? { row: row.ariaRowIndex, button: [...row.querySelectorAll("button")].findIndex((each) => each === document.activeElement) } : null;
  }

  /** @param {HTMLElement} element @param {number} rows */
  #space(element, rows) {
    element.hidden = rows === 0;
    element.style.height = `${rows * this.#rowPx}px`;
  }

  /** @param {T} each @param {number} n */
  #row(each, n) {
    const row = made("tr", "", ...this.#cells(each).map((cell, column) => {
      const said = made("td", this.#isFigure(column) ? "number" : "", shownAs(cell));
      if (typeof cell === "string") said.title = cell; // the column may be too narrow for it
      return said;
    }));
    row.setAttribute("aria-rowindex", String(n + 2));
    return row;
  }
}
