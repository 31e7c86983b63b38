// Where a question is written. Enter sends, Shift+Enter breaks the line, and Enter that accepts an IME's conversion does neither.

import { byId } from "./elements.js";
import { Pictures } from "./pictures.js";

export class Composer {
  #prompt = byId("prompt", HTMLTextAreaElement);
  #form = byId("ask", HTMLFormElement);
  #pictures = new Pictures(byId("pictures", HTMLElement), this.#prompt, byId("signed-in", HTMLElement), byId("files", HTMLInputElement));

  /** @param {(asked: import("./items.js").Asked) => boolean} send whether it was taken @param {() => void} stop */
  constructor(send, stop) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const text = this.#prompt.value;
      if ((!text.trim() && !this.#pictures.count) || this.#pictures.areRefused) return;
      const pictures = this.#pictures.taken();
      if (send({ text, pictures })) this.#prompt.value = "";
      else this.#pictures.set(pictures);
      this.#prompt.focus();
    });
    // A browser can't point at a field inside closed settings: open them first.
    this.#form.addEventListener("invalid", () => { byId("settings", HTMLDetailsElement).open = true; }, true);
    this.#prompt.addEventListener("keydown", (event) => {
      // Safari tells of an IME by keyCode 229 only.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    byId("stop", HTMLButtonElement).onclick = () => { stop(); this.#prompt.focus(); };
    byId("attach", HTMLButtonElement).onclick = () => byId("files", HTMLInputElement).click();
  }

  /** Whether whoever is asked may take pictures. @param {boolean} now */
  set takesPictures(now) {
    this.#pictures.isOpen = now;
    byId("attach", HTMLElement).hidden = !now;
  }

  /** @param {boolean} now */
  showRunning(now) {
    byId("send", HTMLButtonElement).hidden = now;
    byId("stop", HTMLButtonElement).hidden = !now;
  }

  /** Puts a question back that could not be asked. @param {string} text */
  putBack(text) {
    if (!this.#prompt.value) this.#prompt.value = text;
  }

  clear() {
    this.#prompt.value = "";
    this.#pictures.set([]);
  }

  focus() {
    this.#prompt.focus();
  }
}
