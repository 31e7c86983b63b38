// The conversation that is open: its turns on the page, and where the history has them.

import * as history from "./history.js";
import { titleOf } from "./sidebar.js";
import { storedTurn } from "./stored.js";

/** @typedef {import("./turn.js").Turn} Turn */
/** @typedef {Record<string, unknown>} Message */

/** How long what was cut may take to be kept, as the gateway notices that its client has left. */
export const KEPT_AFTER_MS = [0, 300, 900, 1800];

/** @param {number} ms */
export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @param {import("./items.js").Asked} asked @returns {Message} */
export const messageOf = ({ text, pictures }) => ({
  role: "user",
  content: pictures.length
    ? [...pictures.map((url) => ({ type: "image_url", image_url: { url } })), ...(text ? [{ type: "text", text }] : [])]
    : text,
});

export class Conversation {
  /** @type {Turn[]} */
  turns = [];
  /** Whether the history has it: it does as soon as it has an answer. */
  isKept = false;
  /** Whether another one has been opened since. */
  isLeft = false;
  /** The system prompt that it has. */
  system = "";
  /** Without a memory: all that was said. @type {Message[]} */
  said = [];

  /** @param {string | null} id null for one that has not begun @param {boolean} memory whether the gateway remembers for this key */
  constructor(id, memory) {
    this.id = id;
    this.memory = memory;
  }

  /** Waits a little for a conversation that has just begun. @param {string} id */
  async comesToBeKept(id) {
    for (const afterMs of this.isKept ? [] : KEPT_AFTER_MS) {
      await sleep(afterMs);
      if (this.isLeft) break;
      if (await history.isKept(id)) this.isKept = true;
      if (this.isKept) break;
    }
    return this.isKept;
  }

  /** Gives it a title, once the history has it; whether it has. @param {string} text */
  async name(text) {
    const id = this.id ?? "";
    if (!(await this.comesToBeKept(id)) || this.isLeft) return false;
    if (titleOf(text)) await history.rename({ id, used_at: 0, turns: 0, metadata: {} }, titleOf(text));
    return true;
  }

  /** Where the history has a turn of the page, if it has. @param {Turn} turn */
  async find(turn) {
    if (!this.memory || this.id === null || !turn.kept || !(await this.comesToBeKept(this.id))) return null;
    const fromEnd = this.turns.slice(this.turns.indexOf(turn)).filter(({ kept }) => kept).length;
    for (const afterMs of KEPT_AFTER_MS) {
      await sleep(afterMs);
      const found = await storedTurn(this.id, fromEnd);
      if (found?.turn.asked.text === turn.asked.text) return found;
    }
    return null;
  }

  /** Without a memory: a turn was never said. @param {Turn} turn */
  forgetFrom(turn) {
    const said = JSON.stringify(messageOf(turn.asked));
    const index = this.said.findLastIndex((each) => JSON.stringify(each) === said);
    if (index >= 0) this.said.splice(index);
  }
}
