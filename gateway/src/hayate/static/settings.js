// How the next question is asked: system prompt, sampling, further fields; and presets of all that, which stay in this browser.

import { byId } from "./elements.js";
import { texts } from "./texts.js";
import { number } from "./times.js";

const NUMBERS = ["max_tokens", "temperature", "top_p", "seed"];
const FIELDS = ["system", ...NUMBERS, "more"];
const KEY = "presets";

/** @typedef {Record<string, string>} Preset */

/** @param {string} name */
const field = (name) => /** @type {HTMLInputElement | HTMLTextAreaElement} */ (byId(name, HTMLElement));

/** @returns {Record<string, Preset>} */
function presets() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}");
  } catch {
    return {};
  }
}

/** What the fields say, as fields of a request. */
export function options() {
  /** @type {Record<string, unknown>} */
  const said = {};
  for (const name of NUMBERS) if (field(name).value !== "") said[name] = Number(field(name).value);
  const more = field("more").value.trim();
  return more ? { ...said, ...JSON.parse(more) } : said;
}

export const system = () => (field("system").value.trim() ? field("system").value : "");
/** @param {string} text */
export const setSystem = (text) => { field("system").value = text; showSet(); };

/** Says beside the closed settings what is set in them. */
export function showSet() {
  const set = FIELDS.filter((name) => field(name).value.trim() !== "");
  const said = set.map((name) => (NUMBERS.includes(name) ? `${nameOf(name)} ${field(name).value}` : nameOf(name)));
  byId("set", HTMLElement).textContent = said.length ? ` · ${said.join(" · ")}` : "";
}

/** Says what holds where a field is empty. @param {[string, number][]} defaults */
export function showDefaults(defaults) {
  const known = new Map(defaults);
  for (const name of NUMBERS) {
    const value = known.get(name);
    field(name).placeholder = value === undefined ? texts.unset : texts.unsetIs(number(value));
    known.delete(name);
  }
  const others = [...known].map(([name, value]) => `${name} ${number(value)}`).join(", ");
  byId("defaults", HTMLElement).textContent = others && texts.otherDefaults(others);
}

/** @param {string} name */
const nameOf = (name) => field(name).labels?.[0]?.firstElementChild?.textContent ?? name;

/** Further fields must be a JSON object: else the browser says so at the field, and nothing is sent. */
function checkMore() {
  const more = byId("more", HTMLTextAreaElement);
  let wrong = "";
  try {
    const value = JSON.parse(more.value.trim() || "{}");
    if (value === null || typeof value !== "object" || Array.isArray(value)) wrong = texts.moreWrong;
  } catch {
    wrong = texts.moreWrong;
  }
  more.setCustomValidity(wrong);
}

export function startSettings() {
  const chosen = byId("preset", HTMLSelectElement);
  const name = byId("preset-name", HTMLInputElement);
  const show = () => {
    const none = new Option(texts.noPreset, "");
    none.dataset.text = "noPreset";
    chosen.replaceChildren(none, ...Object.keys(presets()).map((each) => new Option(each, each)));
    byId("preset-delete", HTMLButtonElement).disabled = true;
  };
  /** @param {Record<string, Preset>} all */
  const keep = (all) => { localStorage.setItem(KEY, JSON.stringify(all)); show(); };
  byId("more", HTMLTextAreaElement).addEventListener("input", checkMore);
  byId("settings", HTMLElement).addEventListener("input", showSet);
  chosen.addEventListener("change", () => {
    const preset = presets()[chosen.value];
    byId("preset-delete", HTMLButtonElement).disabled = !preset;
    if (!preset) return;
    for (const each of FIELDS) field(each).value = preset[each] ?? "";
    name.value = chosen.value;
    checkMore();
    showSet();
  });
  byId("preset-save", HTMLButtonElement).onclick = () => {
    const title = name.value.trim();
    if (!title) return name.focus();
    keep({ ...presets(), [title]: Object.fromEntries(FIELDS.map((each) => [each, field(each).value])) });
    chosen.value = title;
    byId("preset-delete", HTMLButtonElement).disabled = false;
  };
  byId("preset-delete", HTMLButtonElement).onclick = () => {
    const { [chosen.value]: _, ...others } = presets();
    keep(others);
    chosen.focus();
  };
  show();
}
