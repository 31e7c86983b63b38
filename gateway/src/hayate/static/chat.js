// The chat: a conversation is opened, gone on with, and changed at any of its turns.

import { Asking } from "./asking.js";
import { Conversation, KEPT_AFTER_MS, messageOf, sleep } from "./conversation.js";
import { byId } from "./elements.js";
import { following } from "./follow.js";
import { Trouble } from "./gateway.js";
import * as history from "./history.js";
import { systemOf } from "./items.js";
import { noPending, pending } from "./pending.js";
import { setSystem } from "./settings.js";
import { Stored } from "./stored.js";
import { texts } from "./texts.js";
import { Turn } from "./turn.js";

/** Of older turns the events are let go. */
const RECORDED_TURNS = 20;

/** @typedef {import("./items.js").Asked} Asked */

export class Chat {
  #log = byId("log", HTMLElement);
  #follow = following(this.#log);
  #open = new Conversation(null, true);
  /** @type {Stored | null} */
  #stored = null;
  #composer;
  #asking;
  #changed;
  #onTrouble;

  /** @param {import("./composer.js").Composer} composer @param {(id: string | null) => void} changed what is kept of the conversation that is open has changed, or none is @param {(trouble: Trouble) => void} onTrouble */
  constructor(composer, changed, onTrouble) {
    this.#composer = composer;
    this.#changed = changed;
    this.#onTrouble = onTrouble;
    this.#asking = new Asking({
      running: (now) => { this.#composer.showRunning(now); this.#follow.follow(); },
      changed: (conversation) => { if (conversation === this.#open) changed(conversation.id); },
      trouble: onTrouble,
    });
    const earlier = byId("earlier", HTMLButtonElement);
    earlier.onclick = () => this.#showEarlier();
    new IntersectionObserver(([seen]) => { if (seen?.isIntersecting) this.#showEarlier(); }, { root: this.#log }).observe(earlier);
  }

  get id() {
    return this.#open.id;
  }

  /** Whether the gateway remembers for this key; else the page sends everything along. @param {boolean} memory */
  set memory(memory) {
    this.#open.memory = memory;
  }

  get memory() {
    return this.#open.memory;
  }

  stop() {
    this.#asking.stop();
  }

  /** Tells anew what is open, to whoever has signed in. */
  async tell() {
    const { id, isKept } = this.#open;
    this.#changed(id !== null && (isKept || (await history.isKept(id))) ? id : null);
  }

  /** Shows a conversation, or the beginning of a new one. @param {string | null} id */
  async open(id) {
    this.stop();
    this.#open.isLeft = true;
    const open = new Conversation(id, this.memory);
    this.#open = open;
    this.#stored = null;
    this.#follow.anew();
    for (const turn of this.#log.querySelectorAll(".turn")) turn.remove();
    byId("welcome", HTMLElement).hidden = id !== null;
    byId("earlier", HTMLElement).hidden = true;
    byId("chat-notice", HTMLElement).textContent = "";
    const asked = pending();
    if (id === null) {
      if (asked && asked.id === null) this.#composer.putBack(asked.text);
      noPending();
      this.#changed(null);
      return;
    }
    try {
      await this.#load(id, open, asked?.id === id ? asked.text : null);
    } catch (error) {
      if (!open.isLeft) this.#failedToOpen(error);
    }
  }

  /** @param {string} id @param {Conversation} open @param {string | null} asked what was being asked when the page was left */
  async #load(id, open, asked) {
    const stored = await storedAfter(id, asked);
    while (stored.more && !stored.turns.length) await stored.readOn(); // one turn may have many items
    if (open.isLeft) return;
    noPending();
    const kept = stored.turns;
    this.#stored = stored;
    open.isKept = kept.length > 0 || asked === null;
    this.#changed(open.isKept ? id : null);
    open.system = stored.system || (stored.more ? systemOf(await history.beginning(id)) : "");
    if (open.isLeft) return;
    setSystem(open.system);
    const turns = kept.map((each) => new Turn(each.asked, this.#actions));
    open.turns = [...turns];
    this.#log.append(...turns.map(({ element }) => element));
    byId("earlier", HTMLElement).hidden = !stored.more;
    this.#follow.toEnd();
    if (asked !== null && kept.at(-1)?.asked.text !== asked) {
      if (!open.isKept) open.id = null; // nothing was kept of it
      await this.#newTurn({ text: asked, pictures: [] }).fail(texts.reloaded);
    }
    for (const [n, turn] of [...turns.entries()].reverse()) { // what is last is looked at first
      const each = kept[n];
      if (open.isLeft || !each) return;
      await turn.show(each);
      this.#follow.watch(turn.element);
    }
  }

  async #showEarlier() {
    const [stored, open, earlier] = [this.#stored, this.#open, byId("earlier", HTMLButtonElement)];
    if (!stored?.more || earlier.disabled) return;
    earlier.disabled = true;
    try {
      const before = stored.turns.length;
      do await stored.readOn();
      while (stored.more && stored.turns.length === before);
      if (open.isLeft) return;
      const kept = stored.turns.slice(0, stored.turns.length - before);
      const turns = kept.map((each) => new Turn(each.asked, this.#actions));
      open.turns.unshift(...turns);
      const [height, top] = [this.#log.scrollHeight, this.#log.scrollTop];
      earlier.after(...turns.map(({ element }) => element));
      await Promise.all(turns.map((turn, n) => turn.show(/** @type {import("./items.js").StoredTurn} */ (kept[n]))));
      this.#log.scrollTop = top + this.#log.scrollHeight - height;
      earlier.hidden = !stored.more;
    } catch (error) {
      if (!open.isLeft) this.#failedToOpen(error);
    } finally {
      earlier.disabled = false;
    }
  }

  /** @param {unknown} error */
  #failedToOpen(error) {
    if (!(error instanceof Trouble)) throw error;
    const why = `${texts.hints[error.code ?? ""] ?? texts.unknownError} ${error.message}`.trim();
    byId("chat-notice", HTMLElement).textContent = error.status === 404 ? texts.gone : why;
    this.#changed(null);
    if (error.status === 401) this.#onTrouble(error);
  }

  /** Whether it was asked. @param {Asked} asked */
  ask(asked) {
    if (this.#asking.isRunning) return false;
    this.#asking.run(this.#open, this.#newTurn(asked), [messageOf(asked)]);
    return true;
  }

  /** @param {Asked} asked */
  #newTurn(asked) {
    const turn = new Turn(asked, this.#actions);
    byId("welcome", HTMLElement).hidden = true;
    this.#open.turns.push(turn);
    this.#log.append(turn.element);
    this.#follow.watch(turn.element);
    this.#follow.toEnd();
    for (const old of this.#open.turns.slice(0, -RECORDED_TURNS)) old.forget();
    return turn;
  }

  // What can be done with a turn.

  /** @type {import("./turn.js").Actions} */
  #actions = {
    retry: (turn) => this.#tried(turn, () => (turn === this.#open.turns.at(-1) ? this.#retry(turn) : this.#askInstead(turn, turn.asked))),
    edit: (turn, text) => this.#tried(turn, () => this.#askInstead(turn, { ...turn.asked, text })),
    branch: (turn) => this.#tried(turn, () => this.#branch(turn)),
    goOn: () => { this.ask({ text: texts.continueWord, pictures: [] }); this.#composer.focus(); },
    answerTools: (turn, outputs) => {
      this.#asking.run(this.#open, turn, outputs.map((each) => ({ role: "tool", ...each })), { anew: false });
    },
  };

  /** @param {Turn} turn @param {() => Promise<void>} act */
  async #tried(turn, act) {
    if (this.#asking.isRunning) return;
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      await turn.fail(texts.hints[error.code ?? ""] ?? texts.unknownError, error.message);
      if (error.status === 401) this.#onTrouble(error);
    }
  }

  /** @param {Turn} turn */
  async #retry(turn) {
    const isKept = (await this.#open.find(turn)) !== null;
    if (!isKept) this.#open.forgetFrom(turn);
    this.#asking.run(this.#open, turn, isKept ? [] : [messageOf(turn.asked)], { regenerate: isKept });
  }

  /** Asks something in a turn's place. What was said there stays in the conversation, and this goes on in a branch of it. @param {Turn} turn @param {Asked} asked */
  async #askInstead(turn, asked) {
    const open = this.#open;
    if (open.memory && turn.kept) {
      const found = await open.find(turn);
      if (!found) return turn.note(texts.notKept);
      await this.#goTo(found.before === null ? null : (await history.branch(open.id ?? "", found.before)).id);
    } else {
      open.forgetFrom(turn);
      for (const each of open.turns.splice(open.turns.indexOf(turn))) each.element.remove();
    }
    this.ask(asked);
  }

  /** @param {Turn} turn */
  async #branch(turn) {
    const found = await this.#open.find(turn);
    if (!found) return turn.note(texts.notKept);
    await this.#goTo((await history.branch(this.#open.id ?? "", found.turn.lastId)).id);
  }

  /** @param {string | null} id */
  async #goTo(id) {
    globalThis.history.pushState(null, "", id ? `#/chat/${id}` : "#/chat");
    await this.open(id);
    byId("chat-notice", HTMLElement).textContent = id ? texts.branched : "";
  }
}

/** A conversation's last turns. What was being `asked` when the page was left may still be about to be kept. @param {string} id @param {string | null} asked */
async function storedAfter(id, asked) {
  let stored = new Stored(id);
  for (const afterMs of asked === null ? [0] : KEPT_AFTER_MS) {
    await sleep(afterMs);
    stored = new Stored(id);
    if (asked === null || (await history.isKept(id))) await stored.readOn();
    else stored.more = false;
    if (asked === null || stored.turns.at(-1)?.asked.text === asked) break;
  }
  return stored;
}
