// A text of Markdown that grows. What can't change any more is rendered once; only its last block is rendered anew as it comes, at most
// so often that the page stays quick, and no block grows without end.

import { blocksOf, elementsOf, visible } from "./markdown.js";

/** @typedef {import("./vendor/marked.js").Token} Token */

const PAUSE_MS = 50;
/** Rendered at a time. */
const PIECE_CHARS = 4_000;
/** The page renders for a fifth of the time at most. */
const SHARE = 4;
/** What is longer goes on as another block. Code costs little more than its characters, cells and items much. @type {Record<string, number>} */
const MOST_CHARS = { code: 20_000, table: 2_000, list: 2_500 };
const MOST_CHARS_OF_OTHERS = 4_000;

export class GrowingMarkdown {
  /** All of it, as it was said. */
  text = "";
  #place;
  /** What has come and is not rendered yet. */
  #waiting = "";
  /** What is rendered and may change. */
  #rest = "";
  /** @type {import("./vendor/marked.js").Links} */
  #links = Object.create(null);
  /** @type {ChildNode[]} */
  #last = [];
  #timer = 0;
  #pauseMs = PAUSE_MS;
  /** @type {(() => void) | null} */
  #whenShown = null;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  /** @param {string} more */
  add(more) {
    this.text += more;
    this.#waiting += visible(more);
    this.#timer ||= setTimeout(() => this.#step(), this.#pauseMs);
  }

  /** Nothing more comes; resolves when everything is shown. @returns {Promise<void>} */
  end() {
    const shown = new Promise((resolve) => { this.#whenShown = () => resolve(undefined); });
    clearTimeout(this.#timer);
    this.#step();
    return /** @type {Promise<void>} */ (shown);
  }

  /** Renders the next piece of what has come; all of it would be a long task, if somebody says a lot at once. */
  #step() {
    this.#timer = 0;
    const began = performance.now();
    this.#rest += this.#waiting.slice(0, PIECE_CHARS);
    this.#waiting = this.#waiting.slice(PIECE_CHARS);
    this.#render();
    this.#pauseMs = Math.max(PAUSE_MS, SHARE * (performance.now() - began));
    if (this.#waiting) this.#timer = setTimeout(() => this.#step(), this.#whenShown ? 0 : this.#pauseMs);
    else this.#whenShown?.();
  }

  #render() {
    const blocks = blocksOf(this.#rest, this.#links);
    const settled = settledOf(blocks, this.#rest);
    for (const each of this.#last) each.remove();
    this.#append(blocks.slice(0, settled));
    this.#rest = this.#rest.slice(lengthOf(blocks.slice(0, settled)));
    const last = blocks.slice(settled);
    const cut = cutOf(last, this.#rest);
    if (cut === null) {
      this.#last = this.#append(last);
      return;
    }
    this.#append(blocksOf(this.#rest.slice(0, cut.at), this.#links));
    this.#rest = cut.again + this.#rest.slice(cut.at);
    this.#last = this.#append(blocksOf(this.#rest, this.#links));
  }

  /** @param {Token[]} blocks */
  #append(blocks) {
    if (!blocks.length) return [];
    const fragment = elementsOf(blocks);
    const nodes = [...fragment.childNodes];
    this.#place.append(fragment);
    return nodes;
  }
}

/** @param {Token[]} blocks */
const lengthOf = (blocks) => blocks.reduce((sum, { raw }) => sum + raw.length, 0);

/** How many blocks can't change any more: all before the last that is not blank. @param {Token[]} blocks @param {string} text */
function settledOf(blocks, text) {
  const last = blocks.findLastIndex(({ type }) => type !== "space");
  // A parser that tells another text than it was given can't say how far it has got.
  return last > 0 && text.startsWith(blocks.slice(0, last).map(({ raw }) => raw).join("")) ? last : 0;
}

/** What begins again in the rest of a block: the fence of code, the head of a table. @type {Record<string, RegExp>} */
const OPENINGS = { code: /^ {0,3}(?:`{3,}|~{3,})[^\n]*\n/, table: /^[^\n]*\n[^\n]*\n/ };
const ITEM = /\n(?=(?:[-*+]|\d{1,9}[.)])[ \t])/g;

/** Where a last block that is too long is ended, and what its rest begins with, so that it goes on as what it is. @param {Token[]} last @param {string} text @returns {{ at: number, again: string } | null} */
function cutOf([last], text) {
  const kind = last?.type ?? "";
  if (text.length <= (MOST_CHARS[kind] ?? MOST_CHARS_OF_OTHERS)) return null;
  const again = OPENINGS[kind]?.exec(text)?.[0] ?? "";
  const item = kind === "list" ? [...text.matchAll(ITEM)].at(-1)?.index : undefined; // a list is cut between its items
  const at = (item ?? text.lastIndexOf("\n")) + 1;
  return { at: at > again.length ? at : text.length, again };
}
