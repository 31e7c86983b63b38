// Asks the person one thing, in a dialog of the page's own.

import { byId } from "./elements.js";
import { texts } from "./texts.js";

/** Resolves to what was said: null where the person thought better of it. @param {string} question @param {string | null} value what is to be changed; null where it is only yes or no @param {import("./texts.js").Name} yes @returns {Promise<string | null>} */
export function asked(question, value, yes) {
  const dialog = byId("dialog", HTMLDialogElement);
  const field = byId("dialog-field", HTMLInputElement);
  byId("dialog-question", HTMLElement).textContent = question;
  byId("dialog-yes", HTMLButtonElement).textContent = texts[yes].toString();
  field.hidden = value === null;
  field.value = value ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  field.select();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === "yes" ? field.value : null);
  });
}
