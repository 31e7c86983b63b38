// The models that this key may call, and whether the chosen one is ready.

import { byId } from "./elements.js";
import { listModels } from "./gateway.js";
import { texts } from "./texts.js";

const select = byId("model", HTMLSelectElement);
let known = ""; // the models shown, as JSON, in the language of now
/** Told when there are others. @type {Set<() => void>} */
const listeners = new Set();

/** @type {Map<string, import("./gateway.js").Model>} */
let models = new Map();

export const chosen = () => select.value;

/** Whether one of them may take pictures: those of which it is not known may. @param {string[]} names */
export const takesPictures = (names) => names.some((name) => models.get(name)?.architecture?.input_modalities.includes("image") ?? true);

/** What holds with all of them where a request says nothing, as far as it is known. @param {string[]} names @returns {[string, number][]} */
export function defaultsOf(names) {
  const [first, ...others] = names.map((name) => models.get(name)?.default_parameters ?? {});
  return Object.entries(first ?? {}).filter(([name, value]) => others.every((each) => each[name] === value));
}

/** Tells now and whenever another model is chosen, or is another one. @param {() => void} told */
export function onModel(told) {
  listeners.add(told);
  select.addEventListener("change", told);
}

/** Fills another select with the same models, now and whenever they change; `choose` when there are any for the first time. @param {HTMLSelectElement} other @param {() => void} choose @returns {() => void} what ends that */
export function follow(other, choose) {
  const copy = () => {
    const before = other.value;
    other.replaceChildren(...[...select.children].map((each) => each.cloneNode(true)));
    if (before) other.value = before;
    else if (other.options.length) choose();
  };
  copy();
  listeners.add(copy);
  return () => listeners.delete(copy);
}

/** Asks anew. @throws {import("./gateway.js").Trouble} */
export async function refreshModels() {
  try {
    show(await listModels());
  } catch (error) {
    byId("ready-dot", HTMLElement).classList.remove("ready");
    throw error;
  }
}

/** @param {import("./gateway.js").Model[][]} models */
function show([aliases = [], deployments = []]) {
  const now = JSON.stringify([document.documentElement.lang, aliases, deployments]);
  if (now === known) return;
  known = now;
  models = new Map([...aliases, ...deployments].map((each) => [each.id, each]));
  const before = select.value || "default";
  select.replaceChildren();
  for (const [label, models] of /** @type {const} */ ([[texts.aliases, aliases], [texts.deployments, deployments]])) {
    if (!models.length) continue;
    const group = select.appendChild(document.createElement("optgroup"));
    group.label = label;
    for (const { id, hayate } of models) {
      const target = hayate.kind === "alias" && hayate.targets?.length ? ` → ${hayate.targets.join(", ")}` : "";
      const reason = hayate.reason?.text ?? texts.notReady;
      const option = new Option(`${id}${target}${hayate.ready ? "" : ` (${reason})`}`, id);
      Object.assign(option.dataset, { ready: String(hayate.ready), reason, context: hayate.context_tokens ?? "" });
      option.selected = id === before;
      group.append(option);
    }
  }
  showReadiness();
  for (const told of listeners) told();
}

function showReadiness() {
  const option = select.selectedOptions[0];
  const ready = option?.dataset.ready === "true";
  byId("ready-dot", HTMLElement).classList.toggle("ready", ready);
  byId("not-ready", HTMLElement).textContent = ready || !option ? "" : `${option.value}: ${option.dataset.reason}`;
  const context = Number(option?.dataset.context);
  byId("context", HTMLElement).textContent = context ? texts.context(context.toLocaleString(document.documentElement.lang)) : "";
}

select.addEventListener("change", showReadiness);
