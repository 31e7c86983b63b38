// One question and its answer on the page. Everything the model or the gateway says is shown as text, never as HTML.

import { asCurl } from "./gateway.js";
import { fillTexts, texts } from "./texts.js";

export class Turn {
  element = document.getElementById("turn").content.cloneNode(true).firstElementChild;
  #answer = new Text();
  #raw = new Text();
  #lastId = "";
  #started = performance.now();
  #firstAt = null;
  #lastAt = null;
  #deltas = 0;

  // `askAgain(question)` is called when the person wants the same question answered once more.
  constructor(question, askAgain) {
    fillTexts(this.element);
    this.#part("question").textContent = question.prompt;
    this.#part("answer").append(this.#answer);
    this.#part("raw").append(this.#raw);
    this.#part("figures").textContent = texts.waiting;
    this.element.setAttribute("aria-busy", "true");
    this.#part("again").onclick = () => askAgain(question);
    this.#part("copy-answer").onclick = (click) => copy(this.#answer.data, click.currentTarget);
    this.#part("copy-curl").onclick = (click) => copy(asCurl(question), click.currentTarget);
    this.#part("show-raw").onclick = (click) => {
      this.#part("raw").hidden = !this.#part("raw").hidden;
      click.currentTarget.setAttribute("aria-expanded", String(!this.#part("raw").hidden));
    };
  }

  #part(name) {
    return this.element.querySelector(`.${name}`);
  }

  addEvent({ type, data, lastEventId }) {
    const id = lastEventId === this.#lastId ? "" : `id: ${lastEventId}\n`;
    this.#lastId = lastEventId;
    this.#raw.appendData(`${id}${type === "message" ? "" : `event: ${type}\n`}data: ${data}\n\n`);
  }

  addDelta(delta) {
    if (!delta) return;
    this.#lastAt = performance.now();
    this.#firstAt ??= this.#lastAt;
    this.#deltas += 1;
    this.#answer.appendData(delta);
    this.#showFigures();
  }

  finish({ finish_reason: reason, usage, model }) {
    const notice = reason === "length" ? texts.length : this.#answer.data ? "" : texts.empty;
    this.#end(notice, "notice mild");
    this.#showFigures(usage?.completion_tokens, [model, reason]);
  }

  stop() {
    this.#end(texts.stopped, "notice mild", true);
  }

  // `hint` says what to do, in the page's language; `detail` is what the gateway said.
  fail(hint, detail = "") {
    this.#end(`${hint}\n${detail}`.trim(), "notice", true);
  }

  #end(notice, className, again = false) {
    this.element.removeAttribute("aria-busy");
    Object.assign(this.#part("notice"), { textContent: notice, className, hidden: !notice });
    this.#part("again").hidden = !again;
    this.#showFigures();
  }

  // Until the engine's own count comes with `done`, one delta is taken for one token, and `~` says so.
  #showFigures(counted, more = []) {
    const tokens = counted ?? this.#deltas;
    const about = counted === undefined ? "~" : "";
    const seconds = (this.#lastAt - this.#firstAt) / 1000;
    const parts = [];
    const add = (...words) => parts.push(words.join("\u00a0"));
    if (this.#firstAt !== null) add(texts.firstToken, Math.round(this.#firstAt - this.#started), "ms");
    // An answer that came in one burst has no speed worth showing.
    if (tokens > 1 && seconds > 0.05) add(about + ((tokens - 1) / seconds).toFixed(1), texts.perSecond);
    if (tokens) add(about + tokens, texts.tokens);
    this.#part("figures").textContent = [...parts, ...more.filter(Boolean)].join(" · ");
  }
}

async function copy(text, button) {
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
  setTimeout(() => { button.textContent = texts[button.dataset.text]; }, 1500);
}
