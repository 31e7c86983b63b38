// Asks in the conversation that is open, one question at a time, and follows its answer to the end, whichever it has.

import { call } from "./calling.js";
import { sleep } from "./conversation.js";
import { byId } from "./elements.js";
import { Trouble } from "./gateway.js";
import * as history from "./history.js";
import { chosen } from "./models.js";
import { noPending, setPending } from "./pending.js";
import { options, system } from "./settings.js";
import { storedTurn } from "./stored.js";
import { texts } from "./texts.js";

/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Message} Message */
/** @typedef {import("./turn.js").Turn} Turn */
/** @typedef {import("./reading.js").Failure} Failure */

/** @typedef {{ turn: Turn, conversation: Conversation, regenerate: boolean, answeredChars: number }} Asked */

const RECOVER_EVERY_MS = 2000;
const RECOVER_TIMES = 30;

export class Asking {
  /** @type {(() => void) | null} */
  #stop = null;
  #on;

  /** @param {{ running: (now: boolean) => void, changed: (conversation: Conversation) => void, trouble: (trouble: Trouble) => void }} on */
  constructor(on) {
    this.#on = on;
  }

  get isRunning() {
    return this.#stop !== null;
  }

  stop() {
    this.#stop?.();
  }

  /** `said` is what is new; nothing where the last answer is to be made anew. @param {Conversation} conversation @param {Turn} turn @param {Message[]} said @param {{ regenerate?: boolean, anew?: boolean }} how */
  run(conversation, turn, said, { regenerate = false, anew = true } = {}) {
    if (this.#stop) return;
    conversation.said.push(...said);
    /** @type {Asked} */
    const asked = { turn, conversation, regenerate, answeredChars: anew ? 0 : turn.answer.text.length };
    const body = bodyOf(conversation, said, regenerate);
    const ended = (/** @type {Failure | null} */ failure) => { if (failure) this.#failed(asked, failure); else this.#over(asked, texts.finished); };
    turn.begin(body, { anew, ended });
    setPending({ id: conversation.id, text: turn.asked.text });
    const stop = call(body, {
      opened: (headers) => { turn.opened(headers); begun(asked, headers); },
      event: (event) => turn.take(event),
      over: () => { if (!turn.hasEnded) this.#dropped(asked); },
      refused: (trouble) => this.#failed(asked, trouble),
    });
    this.#stop = () => {
      stop();
      this.#stop = null;
      turn.stop().then(() => this.#over(asked, texts.stopped));
    };
    this.#on.running(true);
    byId("status", HTMLElement).textContent = texts.answering;
  }

  /** @param {Asked} asked @param {string} status */
  #over({ turn, conversation, answeredChars }, status) {
    this.#stop = null;
    this.#on.running(false);
    byId("status", HTMLElement).textContent = status;
    if (conversation.isLeft) return;
    noPending();
    turn.kept = conversation.memory && turn.hasBegun;
    const calls = turn.answer.open.length ? { tool_calls: turn.answer.calls } : {};
    conversation.said.push({ role: "assistant", content: turn.answer.text.slice(answeredChars), ...calls });
    if (conversation.isKept) this.#on.changed(conversation);
    else if (turn.kept) this.#name(conversation, turn.asked.text);
  }

  /** @param {Conversation} conversation @param {string} text */
  async #name(conversation, text) {
    try {
      if (await conversation.name(text)) this.#on.changed(conversation);
    } catch { /* it stays without a title */ }
  }

  /** @param {Asked} asked @param {Failure} failure */
  async #failed(asked, failure) {
    const hint = texts.hints[failure.code ?? ""] ?? texts.unknownError;
    await asked.turn.fail(hint, failure.message);
    this.#over(asked, hint);
    // In the middle of an answer there is no status any more: the key of this session was revoked.
    if (failure.status === 401 || failure.code === "invalid_api_key") this.#on.trouble(new Trouble(failure));
  }

  /** The connection was lost: what the gateway has kept of the answer is shown as soon as it can be had. @param {Asked} asked */
  async #dropped(asked) {
    const { turn, conversation } = asked;
    await turn.fail(texts.dropped);
    this.#over(asked, texts.dropped);
    const id = conversation.id;
    const isOver = () => conversation.isLeft || this.isRunning || conversation.turns.at(-1) !== turn;
    for (let times = 0; id && conversation.memory && times < RECOVER_TIMES; times += 1) {
      await sleep(RECOVER_EVERY_MS);
      if (isOver()) return;
      const found = await history.isKept(id).then((kept) => (kept ? storedTurn(id, 1) : null)).catch(() => null);
      if (isOver()) return;
      if (found?.turn.asked.text !== turn.asked.text) continue;
      await turn.show(found.turn);
      if (found.turn.cut) turn.note(texts.droppedKept);
      if (conversation.isKept) this.#on.changed(conversation);
      else this.#name(conversation, turn.asked.text);
      return;
    }
  }
}

/** @param {Conversation} open @param {Message[]} said @param {boolean} regenerate */
function bodyOf(open, said, regenerate) {
  const { id, memory, said: all } = open;
  const prompt = system();
  // One that was taken away is said to be empty: else the conversation's own would stay.
  const first = prompt || (memory && open.system) ? [{ role: "system", content: prompt }] : [];
  open.system = prompt;
  const conversation = regenerate ? { id, regenerate } : (id ?? "new");
  return {
    model: chosen(),
    ...(memory ? { conversation } : {}),
    messages: [...first, ...(memory ? said : all)],
    ...options(),
    stream: true,
    stream_options: { include_usage: true },
  };
}

/** A new conversation has got its name: from here on the page is its page. @param {Asked} asked @param {Headers} headers */
function begun({ turn, conversation }, headers) {
  const id = headers.get("x-hayate-conversation");
  if (!conversation.memory || conversation.id !== null || !id) return;
  conversation.id = id;
  globalThis.history.replaceState(null, "", `#/chat/${id}`);
  setPending({ id, text: turn.asked.text });
}
