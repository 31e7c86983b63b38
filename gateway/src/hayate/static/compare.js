// Side by side: one prompt to two to four models at once, each answer with its figures, and what the others say differently from the first.
// Nothing of it is kept: these calls name no conversation.

import { call } from "./calling.js";
import { messageOf } from "./conversation.js";
import { differences } from "./differences.js";
import { byId, made } from "./elements.js";
import { Trouble } from "./gateway.js";
import { follow } from "./models.js";
import { options, system } from "./settings.js";
import { texts } from "./texts.js";
import { Turn } from "./turn.js";

const [FEWEST, MOST] = [2, 4];

/** @typedef {import("./items.js").Asked} Asked */
/** @typedef {{ element: HTMLElement, model: HTMLSelectElement, place: HTMLElement, changes: HTMLElement, turn: Turn | null, stop: (() => void) | null, unfollow: () => void }} Column */

export class Compare {
  #place = byId("columns", HTMLElement);
  /** @type {Column[]} */
  #columns = [];
  #composer;
  #onTrouble;
  #fewer = byId("fewer", HTMLButtonElement);
  #more = byId("more-columns", HTMLButtonElement);
  #diff = byId("differences", HTMLButtonElement);

  /** @param {import("./composer.js").Composer} composer @param {() => void} changed other models are asked @param {(trouble: Trouble) => void} onTrouble */
  constructor(composer, changed, onTrouble) {
    this.#composer = composer;
    this.#onTrouble = onTrouble;
    this.#place.addEventListener("change", changed);
    this.#more.onclick = () => { this.#add(); changed(); };
    this.#fewer.onclick = () => { this.#drop(); changed(); };
    this.#diff.onclick = () => this.#showDifferences(this.#diff.getAttribute("aria-pressed") !== "true");
    for (let n = 0; n < FEWEST; n += 1) this.#add();
  }

  get isRunning() {
    return this.#columns.some(({ stop }) => stop !== null);
  }

  stop() {
    for (const { stop } of this.#columns) stop?.();
  }

  /** Those that are asked. */
  get models() {
    return this.#columns.map(({ model }) => model.value);
  }

  /** Forgets what was asked. */
  clear() {
    this.stop();
    for (const column of this.#columns) {
      column.turn = null;
      column.place.replaceChildren();
    }
    this.#showDifferences(false);
  }

  /** Whether it was asked. @param {Asked} asked */
  ask(asked) {
    if (this.isRunning) return false;
    this.#showDifferences(false);
    byId("compared", HTMLElement).textContent = asked.text;
    for (const column of this.#columns) this.#run(column, asked);
    return true;
  }

  /** @param {Column} column @param {Asked} asked */
  #run(column, asked) {
    const turn = new Turn(asked, { retry: () => { if (!column.stop) this.#run(column, asked); }, edit() {}, branch() {}, goOn() {}, answerTools() {} });
    column.turn = turn;
    column.place.replaceChildren(turn.element);
    const prompt = system();
    const body = {
      model: column.model.value,
      messages: [...(prompt ? [{ role: "system", content: prompt }] : []), messageOf(asked)],
      ...options(),
      stream: true,
      stream_options: { include_usage: true },
    };
    const over = () => { column.stop = null; this.#told(); };
    /** @param {import("./reading.js").Failure} failure */
    const failed = async (failure) => {
      await turn.fail(texts.hints[failure.code ?? ""] ?? texts.unknownError, failure.message);
      over();
      if (failure.status === 401 || failure.code === "invalid_api_key") this.#onTrouble(new Trouble(failure));
    };
    turn.begin(body, { ended: (failure) => { if (failure) failed(failure); else over(); } });
    const stop = call(body, {
      opened() {},
      event: (event) => turn.take(event),
      over: () => { if (!turn.hasEnded) turn.fail(texts.dropped).then(over); },
      refused: failed,
    });
    column.stop = () => { stop(); column.stop = null; turn.stop().then(over); };
    this.#told();
  }

  #told() {
    const running = this.isRunning;
    this.#composer.showRunning(running);
    this.#fewer.disabled = running || this.#columns.length <= FEWEST;
    this.#more.disabled = running || this.#columns.length >= MOST;
    this.#diff.disabled = running || this.#columns.filter(({ turn }) => turn?.answer.text).length < 2;
    byId("status", HTMLElement).textContent = running ? texts.answering : texts.finished;
  }

  #add() {
    const model = made("select");
    model.dataset.label = "model"; // the language may change
    model.setAttribute("aria-label", texts.model);
    const [place, changes] = [made("div"), made("div", "changes")];
    changes.hidden = true;
    changes.dir = "auto";
    changes.tabIndex = 0;
    changes.setAttribute("role", "group");
    changes.dataset.label = "differences";
    changes.setAttribute("aria-label", texts.differences);
    const element = made("div", "column", model, changes, place);
    const unfollow = follow(model, () => {
      const taken = new Set(this.#columns.filter((each) => each.model !== model).map((each) => each.model.value));
      const unused = [...model.options].find(({ value }) => !taken.has(value));
      if (unused) model.value = unused.value;
    });
    this.#place.append(element);
    this.#columns.push({ element, model, place, changes, turn: null, stop: null, unfollow });
    this.#told();
  }

  #drop() {
    const column = this.#columns.pop();
    column?.unfollow();
    column?.element.remove();
    this.#showDifferences(false);
    this.#told();
  }

  /** @param {boolean} now */
  #showDifferences(now) {
    this.#diff.setAttribute("aria-pressed", String(now));
    const [first, ...others] = this.#columns;
    for (const { turn, changes, element } of others) {
      const shown = now && turn !== null;
      element.classList.toggle("differs", shown);
      changes.hidden = !shown;
      changes.replaceChildren(...(shown ? differences(first?.turn?.answer.text ?? "", turn.answer.text) : []));
    }
  }
}
