// Tables of the operator's view, filled anew as things change without losing what has the focus.

import { made } from "./elements.js";
import { texts } from "./texts.js";
import { number } from "./times.js";

/** @typedef {import("./texts.js").Name} Name */
/** @typedef {string | number | HTMLElement | null} Cell */

/** A table without rows. @param {HTMLElement} place @param {Name} caption @param {Name[]} heads */
export function frame(place, caption, heads) {
  const body = made("tbody");
  const box = made("div", "table");
  const title = textOf(made("caption"), caption);
  const head = made("tr", "", ...heads.map((name) => Object.assign(textOf(made("th"), name), { scope: "col" })));
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.dataset.label = caption; // the language may change
  box.setAttribute("aria-label", texts[caption]);
  box.append(made("table", "", title, made("thead", "", head), body));
  place.append(box);
  const none = () => {
    const cell = textOf(made("td", "none"), "nothing");
    cell.colSpan = heads.length;
    return made("tr", "", cell);
  };
  /** Heads stand above their figures. @param {boolean[]} numbers */
  const align = (numbers) => numbers.forEach((is, n) => head.children[n]?.classList.toggle("number", is));
  return { box, body, none, align };
}

/** A table that is filled anew by what it returns. @param {HTMLElement} place @param {Name} caption @param {Name[]} heads */
export function table(place, caption, heads) {
  const { body, none, align } = frame(place, caption, heads);
  let shown = "";
  /** @param {Cell[][]} rows */
  return (rows) => {
    const now = JSON.stringify(rows.map((row) => row.map((cell) => (cell instanceof HTMLElement ? cell.outerHTML : cell))));
    if (now === shown) return;
    shown = now;
    const focused = [...body.querySelectorAll("button")].findIndex((each) => each === document.activeElement);
    body.replaceChildren(...rows.map((row) => made("tr", "", ...row.map((cell) => made("td", typeof cell === "number" ? "number" : "", shownAs(cell))))));
    if (!rows.length) body.append(none());
    align(heads.map((_, n) => rows.some((row) => typeof row[n] === "number")));
    if (focused >= 0) body.querySelectorAll("button")[focused]?.focus();
  };
}

/** @param {Cell} cell */
export const shownAs = (cell) => (cell instanceof HTMLElement ? cell : cell === null ? "–" : typeof cell === "number" ? number(cell) : cell);

/** @template {HTMLElement} T @param {T} element @param {Name} name @returns {T} */
function textOf(element, name) {
  element.textContent = texts[name];
  element.dataset.text = name;
  return element;
}
