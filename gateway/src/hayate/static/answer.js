// What is shown of an answer: what was thought (folded), what was said, what tools were called, in the order in which it came.

import { button, made } from "./elements.js";
import { GrowingMarkdown } from "./growing.js";
import { visible } from "./markdown.js";
import { texts } from "./texts.js";

/** @typedef {import("./items.js").Piece} Piece */

/** A call as it is shown. @typedef {{ index: number | null, id: string, name: string, text: string, card: HTMLElement, answered: boolean }} Call */

export class AnswerView {
  #place;
  /** @type {GrowingMarkdown | null} */
  #said = null;
  /** @type {GrowingMarkdown | null} */
  #thought = null;
  /** @type {Promise<void>[]} */
  #ending = [];
  /** @type {Call[]} */
  #calls = [];
  /** What was said in words, as it was said. */
  text = "";
  /** What was thought. */
  reasoning = "";

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
  }

  get isEmpty() {
    return !this.text && !this.reasoning && !this.#calls.length;
  }

  /** The calls of tools that nobody has answered yet. */
  get open() {
    return this.#calls.filter(({ answered }) => !answered);
  }

  /** The calls, as a chat's message has them. */
  get calls() {
    return this.#calls.map(({ id, name, text }) => ({ id, type: "function", function: { name, arguments: text } }));
  }

  clear() {
    this.#place.replaceChildren();
    [this.#said, this.#thought, this.#ending, this.#calls] = [null, null, [], []];
    this.text = this.reasoning = "";
  }

  /** @param {string} more */
  say(more) {
    this.#close("thought");
    this.text += more;
    this.#said ??= new GrowingMarkdown(this.#block("said"));
    this.#said.add(more);
  }

  /** @param {string} more */
  think(more) {
    this.#close("said");
    this.reasoning += more;
    if (!this.#thought) {
      const summary = made("summary", "", texts.reasoning);
      summary.dataset.text = "reasoning";
      const body = made("div", "said");
      body.dir = "auto";
      this.#place.append(made("details", "reasoning", summary, body));
      this.#thought = new GrowingMarkdown(body);
    }
    this.#thought.add(more);
  }

  /** A piece of a call that comes in pieces. @param {import("./reading.js").CallDelta} delta */
  callTool({ index, id, function: named }) {
    this.#close("said");
    this.#close("thought");
    const known = this.#calls.find((each) => each.index === index) ?? this.#newCall(index, id ?? "", named?.name ?? "");
    known.text += named?.arguments ?? "";
    showJson(known.card, known.text);
  }

  /** What there is in the history. @param {Piece[]} pieces */
  async show(pieces) {
    for (const piece of pieces) {
      if (piece.kind === "message") this.say(piece.text);
      else if (piece.kind === "reasoning") this.think(piece.text);
      else if (piece.kind === "output") this.#output(piece.id, piece.text);
      else {
        const call = this.#newCall(null, piece.id, piece.name);
        call.text = piece.text;
        showJson(call.card, call.text);
      }
    }
    await this.end();
  }

  /** Resolves when everything is shown. */
  async end() {
    this.#close("said");
    this.#close("thought");
    for (const each of this.#calls) each.index = null;
    await Promise.all(this.#ending);
    this.#ending = [];
  }

  /** Fields for what the open calls return, and what sends it. @param {(outputs: { tool_call_id: string, content: string }[]) => void} send */
  askForOutputs(send) {
    const open = this.open;
    if (!open.length) return;
    const fields = open.map((call) => {
      const field = document.createElement("textarea");
      field.rows = 2;
      field.className = "output-field";
      field.setAttribute("aria-label", texts.outputOf(call.name));
      field.placeholder = texts.output;
      call.card.append(field);
      return field;
    });
    const sending = button("sendOutputs", () => {
      const outputs = open.map((call, n) => ({ tool_call_id: call.id, content: fields[n]?.value ?? "" }));
      for (const [n, call] of open.entries()) {
        fields[n]?.remove();
        this.#output(call.id, outputs[n]?.content ?? "");
      }
      sending.remove();
      send(outputs);
    }, "send-outputs");
    this.#place.append(sending);
  }

  /** @param {string} className */
  #block(className) {
    const block = this.#place.appendChild(made("div", className));
    block.dir = "auto";
    return block;
  }

  /** @param {"said" | "thought"} which */
  #close(which) {
    const open = which === "said" ? this.#said : this.#thought;
    if (open) this.#ending.push(open.end());
    if (which === "said") this.#said = null;
    else this.#thought = null;
  }

  /** @param {number | null} index @param {string} id @param {string} name @returns {Call} */
  #newCall(index, id, name) {
    const title = made("p", "card-title", texts.toolCall(visible(name)));
    const card = made("div", "card", title, made("pre", "card-json"));
    this.#place.append(card);
    const call = { index, id, name, text: "", card, answered: false };
    this.#calls.push(call);
    return call;
  }

  /** @param {string} id @param {string} text */
  #output(id, text) {
    const call = this.#calls.find((each) => each.id === id && !each.answered);
    if (call) call.answered = true;
    const output = made("pre", "card-output", visible(text));
    output.tabIndex = 0;
    (call?.card ?? this.#place).append(output);
  }
}

/** Arguments as JSON that can be read, once they are JSON. @param {HTMLElement} card @param {string} text */
function showJson(card, text) {
  const place = card.querySelector("pre");
  if (!place) return;
  place.tabIndex = 0;
  try {
    place.textContent = visible(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    place.textContent = visible(text);
  }
}
