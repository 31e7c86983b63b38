// How each deployment has done, as lines: of the last 15 minutes, or of 24 hours, as the gateway has them.

import { byId, made } from "./elements.js";
import { texts } from "./texts.js";
import UPlot from "./vendor/uplot/uPlot.js";

/** What is plotted, and what it is called. */
const PLOTTED = /** @type {const} */ ([
  ["tokens_per_s", "perSecond"], ["in_flight", "inFlight"], ["waiting", "waitingCalls"], ["ttft_p95_s", "ttft95"], ["gap_p95_s", "gap95"],
]);
/** Each of them can be seen on light and on dark. */
const COLOURS = ["#0d9488", "#ea580c", "#8b5cf6", "#0284c7", "#b45309", "#db2777"];
const HEIGHT = 150;
/** More lines than that tell nothing. */
const MOST_LINES = 64;
/** From nothing up to a little more than there was. @type {Pick<UPlot.Options, "legend" | "cursor" | "scales">} */
const LOOK = { legend: { show: false }, cursor: { show: false }, scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } } };

/** @param {UPlot} _ @param {number[]} at */
const clock = (_, at) => at.map((each) => new Date(each * 1000).toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" }));

/** @typedef {Record<string, (number | null)[] | undefined>} Columns */
/** @typedef {{ at: number[], deployments: ({ name: string, replicas: ({ replica: string } & Columns)[] } & Columns)[] }} Series */

export class Plots {
  #place;
  /** @type {UPlot[]} */
  #plots = [];
  #shown = "";
  #which = byId("plotted", HTMLSelectElement);
  #offered = "";

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    new ResizeObserver(() => { for (const plot of this.#plots) plot.setSize({ width: widthOf(plot), height: HEIGHT }); }).observe(place);
  }

  clear() {
    for (const plot of this.#plots) plot.destroy();
    this.#plots = [];
    this.#shown = this.#offered = "";
    this.#place.replaceChildren();
  }

  /** @param {Series} series @param {number} spanS how long until now is shown */
  show({ at, deployments }, spanS) {
    this.#offer(deployments);
    const of = deployments.find(({ name }) => name === this.#which.value);
    /** @type {({ name: string } & Columns)[]} */
    const lines = of ? of.replicas.slice(0, MOST_LINES).map((each) => /** @type {any} */ ({ ...each, name: each.replica })) : deployments;
    const names = lines.map(({ name }) => name);
    const now = JSON.stringify([document.documentElement.lang, document.documentElement.dataset.theme, names]);
    if (now !== this.#shown) this.#make(names);
    this.#shown = now;
    for (const [n, [field, name]] of PLOTTED.entries()) {
      const plot = this.#plots[n];
      const box = plot?.root.parentElement;
      if (box?.parentElement) box.parentElement.hidden = lines.length > 0 && lines.every((each) => !(field in each)); // nobody waits at a replica
      plot?.setData([at, ...lines.map((each) => each[field] ?? [])]);
      const until = at.at(-1) ?? Date.now() / 1000;
      plot?.setScale("x", { min: until - spanS, max: until });
      const last = lines.map((each) => `${each.name} ${each[field]?.at(-1) ?? "–"}`).join(", ");
      box?.setAttribute("aria-label", `${texts[name]}: ${last}`);
    }
  }

  /** Of which there are several replicas to look at; of hours nothing is told of them. @param {Series["deployments"]} deployments */
  #offer(deployments) {
    const names = deployments.filter(({ replicas }) => replicas.length > 1).map(({ name }) => name);
    const offered = JSON.stringify([document.documentElement.lang, names]);
    /** @type {HTMLElement} */ (this.#which.parentElement).hidden = !names.length;
    if (offered === this.#offered) return;
    this.#offered = offered;
    const before = this.#which.value;
    this.#which.replaceChildren(new Option(texts.allDeployments, ""), ...names.map((name) => new Option(texts.replicasOf(name), name)));
    this.#which.value = names.includes(before) ? before : "";
  }

  /** @param {string[]} names */
  #make(names) {
    this.clear();
    const ink = getComputedStyle(this.#place).color;
    const axis = { stroke: ink, grid: { stroke: "#8884", width: 1 }, ticks: { stroke: "#8884", width: 1 } };
    for (const [, title] of PLOTTED) {
      const box = made("div", "plot");
      box.setAttribute("role", "img");
      this.#place.append(made("div", "", made("p", "plot-title", texts[title]), box));
      const lines = names.map((label, n) => ({ label, stroke: COLOURS[n % COLOURS.length] ?? "", width: 1.5, spanGaps: false }));
      const size = { width: Math.max(200, box.clientWidth), height: HEIGHT };
      this.#plots.push(new UPlot({ ...size, ...LOOK, axes: [{ ...axis, values: clock }, { ...axis, size: 55 }], series: [{}, ...lines] }, [[], ...names.map(() => [])], box));
    }
    const keys = names.map((name, n) => {
      const key = made("span", "plot-key", name);
      key.style.borderColor = COLOURS[n % COLOURS.length] ?? "";
      return key;
    });
    this.#place.prepend(made("p", "plot-keys", ...keys));
  }
}

/** @param {UPlot} plot */
const widthOf = (plot) => Math.max(200, plot.root.parentElement?.clientWidth ?? 0);
