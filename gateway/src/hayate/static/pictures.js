// Pictures that go along with a question: pasted, dropped or chosen, kept as data URLs until it is sent.

import { button, byId, made } from "./elements.js";
import { texts } from "./texts.js";

export class Pictures {
  /** @type {string[]} */
  #sources = [];
  #strip;
  #refused = byId("no-pictures", HTMLElement);
  #isOpen = true;

  /** @param {HTMLElement} strip where they are shown @param {HTMLElement} field where they may be pasted @param {HTMLElement} place where they may be dropped @param {HTMLInputElement} files */
  constructor(strip, field, place, files) {
    this.#strip = strip;
    field.addEventListener("paste", (event) => {
      const found = [...(event.clipboardData?.files ?? [])];
      if (found.length && this.#addAll(found)) event.preventDefault();
    });
    place.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    place.addEventListener("drop", (event) => {
      if (event.dataTransfer?.files.length) {
        event.preventDefault();
        this.#addAll([...event.dataTransfer.files]);
      }
    });
    files.addEventListener("change", () => { this.#addAll([...(files.files ?? [])]); files.value = ""; });
  }

  /** Those that are there, which are gone then. */
  taken() {
    const sources = this.#sources;
    this.set([]);
    return sources;
  }

  /** Whether they may be added: else the page says why not, and what is chosen already can only be taken away. @param {boolean} now */
  set isOpen(now) {
    this.#isOpen = now;
    this.#refuse(!now && this.count > 0);
  }

  /** Whether there are some for a model that takes none, which is said. */
  get areRefused() {
    return !this.#isOpen && this.count > 0;
  }

  get count() {
    return this.#sources.length;
  }

  /** @param {string[]} sources */
  set(sources) {
    this.#sources = sources;
    this.#show();
  }

  /** Whether any of them was a picture. @param {File[]} files */
  #addAll(files) {
    const pictures = files.filter(({ type }) => type.startsWith("image/"));
    this.#refuse(!this.#isOpen && pictures.length > 0);
    for (const file of this.#isOpen ? pictures : []) {
      const reader = new FileReader();
      reader.onload = () => this.set([...this.#sources, String(reader.result)]);
      reader.readAsDataURL(file);
    }
    return pictures.length > 0;
  }

  /** @param {boolean} now */
  #refuse(now) {
    this.#refused.textContent = now ? texts.noPictures : "";
    if (now) this.#refused.dataset.text = "noPictures"; // the language may change
    else delete this.#refused.dataset.text;
  }

  #show() {
    this.#refuse(this.areRefused);
    this.#strip.hidden = !this.#sources.length;
    this.#strip.replaceChildren(
      ...this.#sources.map((source, n) => {
        const picture = made("img", "picture");
        picture.src = source;
        picture.alt = texts.picture;
        return made("span", "chosen", picture, button("removePicture", () => this.set(this.#sources.toSpliced(n, 1))));
      }),
    );
  }
}
