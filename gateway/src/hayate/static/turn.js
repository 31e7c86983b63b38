// One question and its answer on the page: as it comes, as it was kept, or once more from its recorded events.

import { AnswerView } from "./answer.js";
import { copy } from "./copying.js";
import { button, fromTemplate, made, within } from "./elements.js";
import { Figures } from "./figures.js";
import { RawView } from "./raw.js";
import { ChatReader } from "./reading.js";
import { drawGaps } from "./sparkline.js";
import { texts } from "./texts.js";

/**
 * @typedef {import("./items.js").Asked} Asked
 * @typedef {object} Actions What a person can do with a turn.
 * @property {(turn: Turn) => void} retry
 * @property {(turn: Turn, text: string) => void} edit
 * @property {(turn: Turn) => void} branch
 * @property {(turn: Turn) => void} goOn
 * @property {(turn: Turn, outputs: { tool_call_id: string, content: string }[]) => void} answerTools
 */

const DRAWN_MS = 100;

export class Turn {
  element = fromTemplate("turn");
  /** Whether the history has it, as far as can be known here. */
  kept = false;
  answer = new AnswerView(within(this.element, "answer", HTMLElement));
  #figures = new Figures();
  #actions;
  #raw;
  #reader = new ChatReader({ queued() {}, loading() {}, said() {}, done() {}, failed() {} });
  #timer = 0;
  #clock = 0;
  #replaying = 0;

  /** @param {Asked} asked @param {Actions} actions */
  constructor(asked, actions) {
    this.asked = asked;
    this.#actions = actions;
    this.#part("question").textContent = asked.text;
    this.#part("question").hidden = !asked.text;
    for (const source of asked.pictures) {
      const picture = made("img", "picture");
      picture.alt = texts.picture;
      picture.src = source.startsWith("data:") ? source : ""; // the page fetches nothing from elsewhere
      this.#part("pictures").append(picture);
    }
    this.#raw = new RawView(this.#part("behind"), () => this.#replay());
    this.#part("tools").prepend(
      button("again", () => actions.retry(this), "again"),
      button("goOn", () => actions.goOn(this), "go-on"),
      button("copyAnswer", (pressed) => copy(this.answer.text, pressed), "copy-answer"),
      button("edit", () => this.#edit(), "edit"),
      button("branch", () => actions.branch(this), "branch"),
      button("raw", (pressed) => pressed.setAttribute("aria-expanded", String(this.#raw.toggle())), "show-raw"),
    );
    this.#part("show-raw").setAttribute("aria-expanded", "false");
    this.#part("show-raw").hidden = this.#part("go-on").hidden = true;
  }

  /** @param {string} name */
  #part(name) {
    return within(this.element, name, HTMLElement);
  }

  /** A call begins; its answer goes on from what is there, or takes its place. @param {Record<string, unknown>} body @param {{ anew?: boolean, ended: (failure: import("./reading.js").Failure | null) => void }} how */
  begin(body, { anew = true, ended }) {
    if (anew) this.answer.clear();
    this.#figures = new Figures();
    this.#raw.begin(body);
    this.#part("show-raw").hidden = false;
    this.#busy(true);
    this.#say("");
    this.#reader = this.#readerFor(ended);
    this.#clock = setInterval(() => { this.#figures.silentMs += 1000; this.#drawSoon(); }, 1000);
    this.#draw();
  }

  /** @param {(failure: import("./reading.js").Failure | null) => void} ended */
  #readerFor(ended) {
    return new ChatReader({
      queued: (place, waitS) => { this.#figures.queue = { place, waitS }; this.#drawSoon(); },
      loading: (model, begun) => { this.#figures.loading = begun ? texts.loading(model) : texts.loadsLater(model); this.#drawSoon(); },
      said: ({ content, reasoning, calls }, atMs) => {
        this.#figures.token(atMs);
        if (reasoning) this.answer.think(reasoning);
        if (content) this.answer.say(content);
        for (const each of calls ?? []) this.answer.callTool(each);
        this.#drawSoon();
      },
      done: async ({ reason, usage, model }) => {
        this.#figures.usage = usage;
        await this.#end();
        const notice = reason === "length" ? texts.length : this.answer.isEmpty ? texts.empty : "";
        this.#say(notice, true);
        this.#part("go-on").hidden = reason !== "length";
        this.#draw([model, reason]);
        this.#offerTools();
        ended(null);
      },
      failed: async (failure) => { await this.#end(); ended(failure); },
    });
  }

  /** An answer begins. @param {Headers} headers */
  opened(headers) {
    this.#raw.opened(headers);
    const omitted = Number(headers.get("x-hayate-turns-omitted") ?? 0);
    this.#part("omitted").hidden = !omitted;
    this.#part("omitted").textContent = texts.omitted(omitted);
  }

  /** @param {import("./events.js").StreamEvent} event */
  take(event) {
    this.#figures.silentMs = 0;
    this.#raw.add(event);
    this.#reader.take(event);
  }

  /** Lets go of the recorded events. */
  forget() {
    this.#raw.events = [];
  }

  /** Whether anything of an answer has come. */
  get hasBegun() {
    return !this.answer.isEmpty;
  }

  /** Whether the stream has told its end. */
  get hasEnded() {
    return this.#reader.ended;
  }

  /** The person has stopped it. */
  async stop() {
    await this.#end();
    this.#cut(texts.stopped, "");
  }

  /** `hint` says what to do, in the page's language; `detail` is what the gateway said. @param {string} hint */
  async fail(hint, detail = "") {
    if (detail) this.#raw.refused(detail);
    await this.#end();
    this.#cut(hint, detail, false);
  }

  /** @param {string} hint @param {string} detail */
  #cut(hint, detail, mild = true) {
    this.#say(`${hint}\n${detail}`.trim(), mild);
    this.#part("go-on").hidden = !this.hasBegun;
    this.#draw();
  }

  /** As the history has it. @param {import("./items.js").StoredTurn} stored */
  async show(stored) {
    this.kept = true;
    this.answer.clear();
    await this.answer.show(stored.pieces);
    this.#say(stored.cut ? texts.cut : "", true);
    this.#part("go-on").hidden = !stored.cut;
    this.#offerTools();
  }

  /** What stands before the question, so that the person knows where it comes from. @param {string} text */
  note(text) {
    this.#say(text, true);
  }

  #offerTools() {
    this.answer.askForOutputs((outputs) => this.#actions.answerTools(this, outputs));
  }

  async #end() {
    clearInterval(this.#clock);
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#figures.over = true;
    this.#figures.silentMs = 0;
    this.#figures.queue = null;
    this.#figures.loading = "";
    await this.answer.end();
    this.#busy(false);
    this.#draw();
  }

  /** @param {boolean} now */
  #busy(now) {
    if (now) this.element.setAttribute("aria-busy", "true");
    else this.element.removeAttribute("aria-busy");
  }

  /** @param {string} notice */
  #say(notice, mild = false) {
    Object.assign(this.#part("notice"), { textContent: notice, className: mild ? "notice mild" : "notice", hidden: !notice });
  }

  #drawSoon() {
    this.#timer ||= setTimeout(() => { this.#timer = 0; this.#draw(); }, DRAWN_MS);
  }

  /** @param {string[]} more */
  #draw(more = []) {
    this.#part("figures").textContent = [String(this.#figures), ...more].filter(Boolean).join(" · ");
    drawGaps(within(this.element, "gaps", SVGSVGElement), this.#figures.gaps);
  }

  #edit() {
    const field = made("textarea", "edit-field");
    field.value = this.asked.text;
    field.setAttribute("aria-label", texts.prompt);
    const place = this.#part("editing");
    const close = () => { place.replaceChildren(); place.hidden = true; this.#part("question").hidden = !this.asked.text; };
    const send = () => { const text = field.value; close(); if (text.trim()) this.#actions.edit(this, text); };
    field.onkeydown = (event) => {
      if (event.key === "Escape") close();
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      send();
    };
    place.replaceChildren(field, button("send", send, "send-edit"), button("cancel", close));
    place.hidden = false;
    this.#part("question").hidden = true;
    field.focus();
  }

  /** Shows the recorded events once more, each at its time; nothing is asked of the gateway. */
  #replay() {
    const events = this.#raw.events;
    if (!events.length || this.element.hasAttribute("aria-busy")) return;
    const notice = this.#part("notice").textContent ?? "";
    const mild = this.#part("notice").classList.contains("mild");
    const goOn = this.#part("go-on").hidden;
    this.answer.clear();
    this.#figures = new Figures();
    this.#say(texts.replaying, true);
    this.#busy(true);
    const over = () => { this.#say(notice, mild); this.#part("go-on").hidden = goOn; };
    this.#reader = this.#readerFor(over);
    const began = performance.now();
    let next = 0;
    const step = async () => {
      for (let event = events[next]; event && event.atMs <= performance.now() - began; event = events[next]) {
        next += 1;
        this.#reader.take(event);
      }
      const after = events[next];
      if (after) this.#replaying = setTimeout(step, Math.max(0, after.atMs - (performance.now() - began)));
      else if (!this.#reader.ended) { await this.#end(); over(); }
    };
    clearTimeout(this.#replaying);
    step();
  }
}
