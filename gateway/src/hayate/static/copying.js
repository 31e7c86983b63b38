// Puts text on the clipboard, and says so on the button that was pressed.

import { texts } from "./texts.js";

const SAID_MS = 1500;

/** @param {string} text @param {HTMLButtonElement} button */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard's API is there on https and localhost only; a selection can be copied everywhere.
    const area = document.body.appendChild(document.createElement("textarea"));
    Object.assign(area, { className: "unseen", value: text }).select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.textContent = texts.copied;
  setTimeout(() => { button.textContent = texts[/** @type {import("./texts.js").Name} */ (button.dataset.text)]; }, SAID_MS);
}
