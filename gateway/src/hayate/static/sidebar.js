// The conversations of this key's project: searched, opened, begun anew.

import { byId, made } from "./elements.js";
import { beginning, list } from "./history.js";
import { turnsOf } from "./items.js";
import { texts } from "./texts.js";

/** @typedef {import("./history.js").Conversation} Conversation */

const SEARCH_AFTER_MS = 250;
const TITLE_CHARS = 60;

/** What a conversation is called that begins so. @param {string} text */
export const titleOf = (text) => [...text.trim().replace(/\s+/g, " ")].slice(0, TITLE_CHARS).join("");

/** What an untitled conversation is called: the first words said in it. @param {string} id @throws {import("./gateway.js").Trouble} */
export const firstWords = async (id) => titleOf(turnsOf(await beginning(id))[0]?.asked.text ?? "") || texts.untitled;

export class Sidebar {
  #list = byId("conversations", HTMLUListElement);
  #search = byId("search", HTMLInputElement);
  #more = byId("more-conversations", HTMLButtonElement);
  /** First words of conversations that have no title. @type {Map<string, string>} */
  #words = new Map();
  #timer = 0;
  #asked = 0;
  #last = "";
  /** @type {string | null} */
  #current = null;
  #onTrouble;

  /** @param {(error: unknown) => void} onTrouble what could not be listed */
  constructor(onTrouble) {
    this.#onTrouble = onTrouble;
    this.#search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.refresh(), SEARCH_AFTER_MS);
    });
    this.#more.onclick = () => this.#load(this.#last);
    const opening = byId("open-sidebar", HTMLButtonElement);
    /** @param {boolean} open */
    const toggle = (open) => {
      document.body.classList.toggle("sidebar-open", open);
      opening.setAttribute("aria-expanded", String(open));
    };
    opening.onclick = () => toggle(!document.body.classList.contains("sidebar-open"));
    addEventListener("hashchange", () => toggle(false));
    byId("sidebar", HTMLElement).addEventListener("click", ({ target }) => {
      if (target instanceof Element && target.closest("a, #new")) toggle(false);
    });
    addEventListener("keydown", ({ key }) => {
      if (key !== "Escape" || !document.body.classList.contains("sidebar-open")) return;
      toggle(false);
      opening.focus();
    });
  }

  refresh() {
    return this.#load(undefined);
  }

  clear() {
    this.#asked += 1;
    this.#list.replaceChildren();
    this.#words.clear();
    this.#search.value = "";
    this.#more.hidden = true;
  }

  /** Which one is open. @param {string | null} id */
  show(id) {
    this.#current = id;
    for (const link of this.#list.querySelectorAll("a")) this.#mark(link);
  }

  /** @param {HTMLAnchorElement} link */
  #mark(link) {
    if (link.dataset.id === this.#current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }

  /** @param {string | undefined} after */
  async #load(after) {
    const asked = ++this.#asked;
    const search = this.#search.value.trim();
    try {
      const page = await list({ search, after });
      if (asked !== this.#asked) return;
      const rows = page.data.map((each) => this.#row(each));
      if (after) this.#list.append(...rows);
      else this.#list.replaceChildren(...rows);
      this.#last = page.last_id;
      this.#more.hidden = !page.has_more;
      byId("none-found", HTMLElement).hidden = !search || page.data.length > 0;
    } catch (error) {
      if (asked === this.#asked) this.#onTrouble(error);
    }
  }

  /** @param {Conversation} conversation */
  #row({ id, metadata, used_at: usedAt, snippet_parts: parts }) {
    const title = made("span", "title");
    title.dir = "auto";
    if (metadata.title) title.textContent = metadata.title;
    else this.#firstWords(id, title);
    const link = made("a", "", title);
    link.href = `#/chat/${id}`;
    link.dataset.id = id;
    if (parts) {
      // Every second part is a hit.
      link.append(made("span", "snippet", ...parts.map((part, n) => (n % 2 ? made("mark", "", part) : part))));
    } else {
      const when = made("time", "when", whenOf(usedAt));
      when.dateTime = new Date(usedAt * 1000).toISOString();
      link.append(when);
    }
    this.#mark(link);
    return made("li", "", link);
  }

  /** @param {string} id @param {HTMLElement} place */
  async #firstWords(id, place) {
    place.textContent = this.#words.get(id) ?? texts.untitled;
    if (this.#words.has(id)) return;
    try {
      place.textContent = await firstWords(id);
      this.#words.set(id, place.textContent);
    } catch { /* it stays without a name */ }
  }
}

/** Today's with the time, others with the day. @param {number} seconds */
function whenOf(seconds) {
  const [then, now] = [new Date(seconds * 1000), new Date()];
  const language = document.documentElement.lang;
  if (then.toDateString() === now.toDateString()) return then.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
  return then.toLocaleDateString(language, { year: then.getFullYear() === now.getFullYear() ? undefined : "numeric", month: "short", day: "numeric" });
}
