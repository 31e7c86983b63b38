// The configuration as it runs, in sections that unfold: what each setting is, and who says so; what the last reload has said.

import { copy } from "./copying.js";
import { button, byId, made } from "./elements.js";
import { frame, shownAs } from "./tables.js";
import { inState, texts } from "./texts.js";
import { time } from "./times.js";

/** Sections of which each part is one of its own. */
const NAMED = new Set(["deployments", "gpus", "prices"]);

/**
 * @typedef {{ path: string[], name: string, value: unknown, secret: boolean, source: string, variable: string | null, line: number | null }} Setting
 * @typedef {{ at: string, applied: boolean, restart_needed: string[], refused: { text: string, text_ja: string } | null }} LastReload
 * @typedef {{ settings: Setting[], restart_needed: string[], last_reload: LastReload | null }} Told
 */

/** How many parts of a setting's path are its section's. @param {Setting} setting */
const depthOf = ({ path: [first = ""], path }) => (path.length < 2 ? 0 : NAMED.has(first) ? 2 : 1);
const isSaid = (/** @type {Setting} */ { source }) => source !== "default";

export class Configuration {
  #place;
  #said = byId("said-only", HTMLInputElement);
  /** @type {Told | null} */
  #told = null;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    this.#said.addEventListener("change", () => this.#draw());
    byId("configuration-tools", HTMLElement).append(button("copyJson", (pressed) => copy(JSON.stringify(this.#told, null, 2), pressed)));
    // The language may change while it is open.
    new MutationObserver(() => this.#draw()).observe(document.documentElement, { attributeFilter: ["lang"] });
  }

  /** @param {Told} told */
  show(told) {
    this.#told = told;
    this.#draw();
  }

  clear() {
    this.#told = null;
    this.#place.replaceChildren();
  }

  #draw() {
    if (this.#told === null) return;
    const { settings, restart_needed: waits, last_reload: last } = this.#told;
    const open = new Set([...this.#place.querySelectorAll("details[open]")].map((each) => /** @type {HTMLElement} */ (each).dataset.section));
    /** @type {Map<string, Setting[]>} */
    const sections = new Map();
    for (const each of settings) {
      if (this.#said.checked && !isSaid(each)) continue;
      const title = each.path.slice(0, depthOf(each)).join(" › ");
      sections.set(title, [...(sections.get(title) ?? []), each]);
    }
    this.#place.replaceChildren(
      ...(last ? [made("p", last.refused ? "notice" : "", wordsOf(last))] : []),
      ...(waits.length ? [made("p", "notice mild", texts.restartWaits(waits.join(", ")))] : []),
      ...[...sections].map(([title, found]) => section(title, found, open.has(title))),
    );
  }
}

/** @param {LastReload} last */
function wordsOf({ at, refused }) {
  if (refused === null) return texts.lastReload(time(at));
  return `${texts.lastRefused(time(at))}\n${document.documentElement.lang === "ja" ? refused.text_ja : refused.text}`;
}

/** A section, whose rows are made once it is unfolded. @param {string} title @param {Setting[]} settings @param {boolean} open */
function section(title, settings, open) {
  const count = made("span", "of", texts.saidOf(settings.filter(isSaid).length, settings.length));
  const folded = made("details", "", made("summary", "", title || texts.general, count));
  folded.dataset.section = title;
  folded.addEventListener("toggle", () => {
    if (!folded.open || folded.childElementCount > 1) return;
    const { box, body } = frame(folded, "settingsOf", ["setting", "value", "saidBy"]);
    box.setAttribute("aria-label", title || texts.general);
    body.append(...settings.map((each) => {
      const name = made("th", "", each.path.slice(depthOf(each)).join("."));
      name.scope = "row";
      return made("tr", isSaid(each) ? "said-so" : "", name, made("td", "value", valueOf(each)), made("td", "", sourceOf(each)));
    }));
  });
  folded.open = open;
  return folded;
}

/** @param {Setting} setting */
function valueOf({ value, secret }) {
  if (secret) return texts.notTold;
  if (Array.isArray(value)) return value.map(plain).join(", ") || "[]";
  return value === null ? shownAs(null) : plain(value);
}

/** As the file has it. @param {unknown} value */
const plain = (value) => (typeof value === "string" ? value || '""' : JSON.stringify(value));

/** @param {Setting} setting */
function sourceOf({ source, variable, line }) {
  const place = line === null ? inState(source) : texts.lineOf(inState(source), line);
  return variable === null ? place : texts.through(place, variable);
}
