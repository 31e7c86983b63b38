// The page's language: every text by its name, and what has one on the page already.

import { en } from "./texts/en.js";
import { ja } from "./texts/ja.js";

/** @typedef {typeof en} Texts */
/** A text that stands by itself. @typedef {{ [K in keyof Texts]: Texts[K] extends string ? K : never }[keyof Texts]} Name */

/** @type {Texts} */
export let texts = en;

/** A word of the gateway's for a state, as people read it. @param {string} word */
export const inState = (word) => texts.states[word] ?? word;

/** @param {string | undefined} name */
const textOf = (name) => texts[/** @type {Name} */ (name)];

/** Fills in every text under `root`: data-text is the content, data-placeholder and data-label the attributes. @param {ParentNode} root */
export function fillTexts(root) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = textOf(/** @type {HTMLElement} */ (node).dataset.text);
  for (const node of root.querySelectorAll("[data-placeholder]")) {
    node.setAttribute("placeholder", textOf(/** @type {HTMLElement} */ (node).dataset.placeholder));
  }
  for (const node of root.querySelectorAll("[data-label]")) {
    node.setAttribute("aria-label", textOf(/** @type {HTMLElement} */ (node).dataset.label));
  }
}

/** @param {string} language */
export function setLanguage(language) {
  texts = language === "ja" ? ja : en;
  document.documentElement.lang = language;
  document.title = texts.title;
  fillTexts(document);
}

/** The language chosen on this page before, else the browser's. */
export const preferredLanguage = () => localStorage.getItem("language") ?? (navigator.language.startsWith("ja") ? "ja" : "en");
