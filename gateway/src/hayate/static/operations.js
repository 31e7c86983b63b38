// Operations, for whoever has the operator's key: what every engine does, who waits, calls under way and ended, keys, the configuration.

import { EndedCalls } from "./calls.js";
import { Configuration } from "./configuration.js";
import { button, byId, made } from "./elements.js";
import { answerOf, Trouble } from "./gateway.js";
import { Keys } from "./keys.js";
import { ask, change, isOperator, maySignIn, signInOperator, signOutOperator } from "./operator.js";
import { Plots } from "./plots.js";
import { table } from "./tables.js";
import { inState, texts } from "./texts.js";
import { day, seconds, time } from "./times.js";

const EVERY_MS = 5000;
/** What can be shown of the past, in seconds. @type {Record<string, number>} */
const SPANS = { "minutes=15": 900, "hours=24": 86_400 };
const STATUS = /^[2-9]\d\d$/;
const GIB = 1 << 30;

/** What the filters say. @param {...("key" | "model" | "status")} names @returns {[string, string][]} */
function filled(...names) {
  const said = /** @type {[string, string][]} */ (names.map((name) => [name, byId(`filter-${name}`, HTMLInputElement).value.trim()]));
  return said.filter(([name, value]) => value && (name !== "status" || STATUS.test(value)));
}

/** Which of the calls that have ended are to be shown. */
const wanted = () => new URLSearchParams(filled("key", "model", "status"));

/** In the language of the page. @param {string} english @param {string} japanese */
const inWords = (english, japanese) => (document.documentElement.lang === "ja" ? japanese : english);
/** @param {{ at: string, level: string, text: string, text_ja: string }} event */
const lineOf = ({ at, level, text, text_ja: japanese }) => `${time(at)}  ${inState(level)}  ${inWords(text, japanese)}`;

export class Operations {
  #place = byId("operations", HTMLElement);
  #view = byId("operator-view", HTMLElement);
  #form = byId("operator-sign-in", HTMLFormElement);
  #notice = byId("operator-notice", HTMLElement);
  #timer = 0;
  #configuration = new Configuration(byId("configuration", HTMLElement));
  #plots = new Plots(byId("plots", HTMLElement));
  /** Tokens that each deployment's engines had made, and when. @type {Map<string, { tokens: number, atMs: number }>} */
  #made = new Map();
  #models = table(this.#view, "models", ["name", "engine", "state", "inFlight", "waitingCalls", "perSecond", "lastError", "acts"]);
  #replicas = table(this.#view, "replicas", ["name", "address", "state", "reason", "inFlight", "ceiling", "lastError"]);
  #gpus = table(this.#view, "gpus", ["name", "used", "there"]);
  #lanes = table(this.#view, "lanes", ["key", "project", "model", "weight", "inFlight", "waitingCalls", "oldest"]);
  #running = table(this.#view, "runningCalls", ["id", "key", "model", "replica", "duration", "acts"]);
  #ended = new EndedCalls(this.#view, (id) => this.#named(id), (act) => this.#tried(act));
  #usage = table(this.#view, "usage", ["name", "calls", "failedCalls", "tokensIn", "cachedTokens", "out", "cost", "tokens"]);
  #keys = new Keys(this.#view, (act) => this.#tried(act), (...said) => this.#say(...said), () => this.#refresh());

  /** Counted up whenever something is asked for. */
  #asked = 0;

  constructor() {
    for (const id of ["span", "plotted"]) byId(id, HTMLSelectElement).onchange = () => this.#tried(() => this.#refresh());
    this.#opens("of-configuration", async () => this.#configuration.show(await ask("admin/config")));
    this.#opens("of-log", async () => { byId("events", HTMLElement).textContent = (await ask("admin/log")).data.map(lineOf).join("\n"); });
    byId("filter", HTMLFormElement).addEventListener("input", () => this.#tried(async () => { await this.#refresh(); await this.#showUsage(); }));
    byId("filter", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const key = byId("operator-key", HTMLInputElement);
      await this.#tried(async () => { await signInOperator(key.value.trim()); key.value = ""; await this.open(); });
    });
    byId("operator-sign-out", HTMLButtonElement).onclick = () => this.#tried(async () => { await signOutOperator(); await this.open(); });
    byId("reload", HTMLButtonElement).onclick = () => this.#tried(async () => {
      const done = await (await change("admin/reload", "POST")).json();
      this.#say(done.restart_needed.length ? texts.restartNeeded(done.restart_needed.join(", ")) : texts.reloadedNow);
    });
  }

  /** What is asked for when it is unfolded. @param {string} details @param {() => Promise<void>} show */
  #opens(details, show) {
    const folded = byId(details, HTMLDetailsElement);
    folded.addEventListener("toggle", () => { if (folded.open) this.#tried(show); });
  }

  /** The view is shown: to the operator, or to somebody who may become that. */
  async open() {
    this.close();
    await this.#tried(async () => {
      const now = await isOperator();
      if (!now) return this.#forget();
      this.#form.hidden = byId("overheard", HTMLElement).hidden = true;
      this.#view.hidden = false;
      await this.#refresh();
      await this.#showUsage();
    });
  }

  /** Nobody is signed in: nothing of what was seen stays. */
  #forget() {
    for (const show of [this.#models, this.#replicas, this.#gpus, this.#lanes, this.#running, this.#usage]) show([]);
    this.#ended.clear();
    this.#keys.clear();
    this.#made.clear();
    this.#plots.clear();
    this.#configuration.clear();
    byId("events", HTMLElement).textContent = "";
    byId("engine-log", HTMLElement).hidden = true;
    byId("engine-log", HTMLElement).textContent = "";
    this.#view.hidden = true;
    this.#form.hidden = !maySignIn();
    byId("overheard", HTMLElement).hidden = maySignIn();
    byId("operator-key", HTMLElement).focus();
  }

  close() {
    this.#asked += 1;
    clearTimeout(this.#timer);
    this.#say("");
  }

  async #refresh() {
    clearTimeout(this.#timer);
    const asked = ++this.#asked;
    const span = byId("span", HTMLSelectElement).value;
    if (!document.hidden) {
      const which = wanted();
      const latest = this.#ended.wanted(which);
      const paths = ["admin/engines", "admin/queue", "admin/deployments", `admin/calls?${latest ?? new URLSearchParams([...which, ["limit", "1"]])}`, Keys.path, `admin/series?${span}`];
      const [engines, queue, deployments, calls, keys, series] = await Promise.all(paths.map(ask));
      if (asked !== this.#asked) return; // something else is wanted by now
      this.#keys.show(keys);
      this.#plots.show(series, SPANS[span] ?? 0);
      this.#showModels(engines, queue);
      this.#showRunning(calls);
      if (latest) this.#ended.show(which, calls);
      this.#showReplicas(deployments, queue);
    }
    if (!this.#place.hidden) this.#timer = setTimeout(() => this.#tried(() => this.#refresh()), EVERY_MS);
  }

  /** @param {any} engines @param {any} queue */
  #showModels({ engines, gpus }, { deployments }) {
    this.#models(engines.map((/** @type {any} */ each) => {
      const why = each.last_error && inWords(each.last_error.text, each.last_error.text_ja);
      const acts = made("span", "acts", ...(each.how === null ? [] : [this.#act("load", each.name), this.#act("unload", each.name)]), ...(each.has_log ? [this.#log(each.name)] : []));
      return [each.name, each.backend, inState(each.state), each.in_flight, each.waiting, this.#speed(each), why, acts];
    }));
    this.#gpus(gpus.map((/** @type {any} */ each) => [each.name, `${(each.used_bytes / GIB).toFixed(1)} GiB`, `${(each.memory_bytes / GIB).toFixed(1)} GiB`]));
    this.#lanes(deployments.flatMap((/** @type {any} */ each) => each.lanes.map((/** @type {any} */ lane) =>
      [this.#named(lane.key), lane.project, each.name, lane.weight, lane.in_flight, lane.waiting, lane.waiting ? `${lane.oldest_s.toFixed(1)} s` : null])));
  }

  /** @param {any[]} deployments @param {any} queue whose ceilings are in the same order */
  #showReplicas(deployments, queue) {
    const ceilings = new Map(queue.deployments.map((/** @type {any} */ each) => [each.name, each.ceilings]));
    this.#replicas(deployments.flatMap(({ name, replicas }) => replicas.map((/** @type {any} */ each, /** @type {number} */ n) => {
      const [why, error] = [each.reason, each.last_error];
      return [
        `${name}/${n}`, each.url, inState(each.state), why && inWords(why.en, why.ja), each.in_flight, ceilings.get(name)?.[n]?.places ?? null,
        error && `${time(error.at * 1000)} ${inWords(error.text, error.text_ja)}`,
      ];
    })));
  }

  /** Tokens a second since the last look. @param {any} engine */
  #speed({ name, output_tokens: tokens }) {
    const [before, atMs] = [this.#made.get(name), performance.now()];
    this.#made.set(name, { tokens, atMs });
    return before && atMs > before.atMs ? Math.round((10_000 * (tokens - before.tokens)) / (atMs - before.atMs)) / 10 : null;
  }

  /** @param {"load" | "unload"} what @param {string} name */
  #act(what, name) {
    return button(what, () => this.#tried(async () => { await change(`admin/engines/${encodeURIComponent(name)}/${what}`, "POST"); await this.#refresh(); }));
  }

  /** @param {any} calls */
  #showRunning({ in_flight: running }) {
    this.#running(running.map((/** @type {any} */ each) => [
      each.request_id, this.#named(each.key), each.model, each.replica || null, seconds(each.running_ms),
      button("stop", () => this.#tried(async () => { await change(`admin/calls/${encodeURIComponent(each.id)}`, "DELETE"); await this.#refresh(); })),
    ]));
  }

  /** @param {string} id */
  #named(id) {
    return this.#keys.names.get(id) ?? id;
  }

  /** The engine's last lines. @param {string} name */
  #log(name) {
    return button("log", () => this.#tried(async () => {
      const place = byId("engine-log", HTMLElement);
      place.textContent = await (await answerOf(`admin/engines/${encodeURIComponent(name)}/log`)).text();
      place.hidden = false;
      place.scrollTop = place.scrollHeight;
      place.focus();
    }));
  }

  /** Of the last seven days. */
  async #showUsage() {
    const of = new URLSearchParams([["by", byId("usage-by", HTMLSelectElement).value], ...filled("key", "model")]);
    const { data, currency } = await ask(`admin/usage?${of}`);
    const byDay = of.get("by") === "day";
    const most = Math.max(1, ...data.map((/** @type {any} */ each) => each.input_tokens + each.output_tokens));
    this.#usage(data.map((/** @type {any} */ each) => {
      const label = byDay ? day(each.label) : each.label;
      const bar = made("meter");
      const tokens = each.input_tokens + each.output_tokens;
      Object.assign(bar, { max: most, value: tokens, title: tokens.toLocaleString() });
      bar.setAttribute("max", String(most));
      bar.setAttribute("aria-label", `${label}: ${tokens}`);
      return [label, each.calls, each.failed, each.input_tokens, each.cached_tokens, each.output_tokens, each.cost === null ? null : `${each.cost} ${currency ?? ""}`.trim(), bar];
    }));
  }

  /** @param {...(string | Node)} said */
  #say(...said) {
    this.#notice.replaceChildren(...said.filter(Boolean));
  }

  /** @param {() => Promise<void>} act */
  async #tried(act) {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.#say(error.code === "unreachable" ? (texts.hints.unreachable ?? "") : error.message);
      if (error.status === 401) this.#forget();
      else if (!this.#view.hidden) this.#timer = setTimeout(() => this.#tried(() => this.#refresh()), EVERY_MS);
    }
  }
}
