// The page's elements: found by id, by class within a part, or made. What is missing or of another kind is a mistake of ours.

import { fillTexts, texts } from "./texts.js";

/** @template {Element} T @param {Element | null | undefined} found @param {new () => T} kind @param {string} name @returns {T} */
function sure(found, kind, name) {
  if (found instanceof kind) return found;
  throw new Error(`no ${kind.name} ${name}`);
}

/** @template {Element} T @param {string} id @param {new () => T} kind @returns {T} */
export const byId = (id, kind) => sure(document.getElementById(id), kind, id);

/** @template {Element} T @param {ParentNode} root @param {string} name @param {new () => T} kind @returns {T} */
export const within = (root, name, kind) => sure(root.querySelector(`.${name}`), kind, name);

/** A copy of a template's one element, with its texts. @param {string} id */
export function fromTemplate(id) {
  const copy = /** @type {DocumentFragment} */ (byId(id, HTMLTemplateElement).content.cloneNode(true));
  fillTexts(copy);
  return sure(copy.firstElementChild, HTMLElement, id);
}

/** @template {keyof HTMLElementTagNameMap} K @param {K} tag @param {string} className @param {...(Node | string)} children */
export function made(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** A quiet button whose text follows the page's language. @param {import("./texts.js").Name} name @param {(button: HTMLButtonElement) => void} onClick */
export function button(name, onClick, className = "") {
  const element = made("button", `quiet ${className}`.trim(), texts[name]);
  element.type = "button";
  element.dataset.text = name;
  element.onclick = () => onClick(element);
  return element;
}
