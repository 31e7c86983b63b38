// What is behind an answer: its request as others would send it, the events as they came, with their times, and a replay of them.

import { copy } from "./copying.js";
import { button, made, within } from "./elements.js";
import { asCurl, asJavaScript, asPython } from "./samples.js";

/** @typedef {import("./events.js").StreamEvent} StreamEvent */

const REDRAWN_MS = 250;
const SAMPLES = /** @type {const} */ ({ curl: asCurl, python: asPython, javascript: asJavaScript });
/** @typedef {"events" | keyof typeof SAMPLES} Kind */

export class RawView {
  /** @type {Record<string, unknown> | null} */
  #body = null;
  /** @type {StreamEvent[]} */
  events = [];
  /** What the answer's head said, or why there was none. */
  #head = "";
  /** @type {Kind} */
  #shown = "curl";
  #panel;
  #text;
  #timer = 0;
  /** @type {Map<Kind, HTMLButtonElement>} */
  #tabs = new Map();

  /** @param {HTMLElement} panel @param {() => void} replay */
  constructor(panel, replay) {
    this.#panel = panel;
    this.#text = within(panel, "raw", HTMLPreElement);
    const tabs = within(panel, "raw-tabs", HTMLElement);
    for (const kind of /** @type {Kind[]} */ (["curl", "python", "javascript", "events"])) {
      const tab = button(kind, () => this.#choose(kind));
      this.#tabs.set(kind, tab);
      tabs.append(tab);
    }
    const copying = button("copy", (pressed) => copy(this.#content(), pressed), "copy-raw");
    tabs.append(made("span", "gap"), copying, button("replay", replay, "replay"));
    this.#choose("curl");
  }

  /** A call begins. @param {Record<string, unknown>} body */
  begin(body) {
    this.#body = body;
    this.events = [];
    this.#head = "";
    this.#draw();
  }

  /** @param {Headers} headers of the answer */
  opened(headers) {
    this.#head = [...headers].map(([name, value]) => `${name}: ${value}\n`).join("");
  }

  /** @param {string} why */
  refused(why) {
    if (!this.events.length) this.#head = `${why}\n`;
  }

  /** @param {StreamEvent} event */
  add(event) {
    this.events.push(event);
    if (!this.#panel.hidden && this.#shown === "events") this.#timer ||= setTimeout(() => this.#draw(), REDRAWN_MS);
  }

  /** Whether there is a request to be shown. */
  get has() {
    return this.#body !== null;
  }

  toggle() {
    this.#panel.hidden = !this.#panel.hidden;
    this.#draw();
    return !this.#panel.hidden;
  }

  /** @param {Kind} kind */
  #choose(kind) {
    this.#shown = kind;
    for (const [each, tab] of this.#tabs) tab.setAttribute("aria-pressed", String(each === kind));
    this.#draw();
  }

  #draw() {
    this.#timer = 0;
    if (!this.#panel.hidden) this.#text.textContent = this.#content();
  }

  #content() {
    if (!this.#body) return "";
    if (this.#shown !== "events") return SAMPLES[this.#shown](this.#body);
    return this.#head + (this.#head && "\n") + this.events.map(({ atMs, raw }) => `+${(atMs / 1000).toFixed(3)}s  ${raw.replaceAll("\n", "\n          ")}\n`).join("");
  }
}
