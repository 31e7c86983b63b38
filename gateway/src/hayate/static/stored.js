// A conversation as the history has it, read from its end.

import { itemsBefore } from "./history.js";
import { systemOf, turnsOf } from "./items.js";

/** @typedef {import("./items.js").StoredTurn} StoredTurn */

export class Stored {
  /** @type {import("./items.js").Item[]} */
  #items = [];
  #first = "";
  /** Whether there is more before what has been read. */
  more = true;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /** The next page towards the beginning. */
  async readOn() {
    if (!this.more) return;
    const { items, more } = await itemsBefore(this.id, this.#first || null);
    this.#items = [...items, ...this.#items];
    this.#first = items[0]?.id ?? this.#first;
    this.more = more;
  }

  /** Those turns of which all is read. */
  get turns() {
    return turnsOf(this.#items);
  }

  get system() {
    return systemOf(this.#items);
  }

  /** The item before this one, or null at the beginning. @param {string} itemId */
  before(itemId) {
    return this.#items[this.#items.findIndex(({ id }) => id === itemId) - 1]?.id ?? null;
  }
}

/** The turn that is the `fromEnd`th from the end (1: the last), with what stands before it; null where there are not so many. @param {string} id @param {number} fromEnd */
export async function storedTurn(id, fromEnd) {
  const stored = new Stored(id);
  do await stored.readOn();
  while (stored.more && stored.turns.length <= fromEnd);
  const turn = stored.turns.at(-fromEnd);
  return turn ? { turn, before: stored.before(turn.firstId) } : null;
}
