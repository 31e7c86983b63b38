// The callers' keys, for the operator: made, changed, given a new secret, revoked.

import { copy } from "./copying.js";
import { asked } from "./dialogs.js";
import { button, byId, made } from "./elements.js";
import { Trouble } from "./gateway.js";
import { change } from "./operator.js";
import { table } from "./tables.js";
import { texts } from "./texts.js";
import { number, time } from "./times.js";

/** The limits of a key, each beside its text. */
const LIMITS = /** @type {const} */ ([
  ["requests_per_minute", "perMinute"], ["tokens_per_minute", "tokensPerMinute"], ["input_tokens_per_minute", "inputPerMinute"],
  ["output_tokens_per_minute", "outputPerMinute"], ["concurrency", "atOnce"],
]);
const HOUR_S = 3600;
const GRACE_HOURS = 24;

/** @typedef {{ id: string, name: string, project: string, state: string, created_at: string, expires_at: string | null, models: string[] | null, limits: Record<string, number | boolean>, weight: number, max_output_tokens: number | null }} Key */

/** @param {string} name */
const field = (name) => byId(`of-key-${name}`, HTMLInputElement);
/** What a field says; null where it is empty. @param {string} name */
const numberIn = (name) => (field(name).value === "" ? null : Number(field(name).value));
/** As a field of local time has it. @param {string | null} iso */
function localOf(iso) {
  if (iso === null) return "";
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
/** @param {Key["limits"]} limits */
const shown = (limits) => LIMITS.filter(([name]) => limits[name]).map(([name, text]) => `${texts[text]} ${number(Number(limits[name]))}`).join(", ");

export class Keys {
  #show;
  #dialog = byId("key-dialog", HTMLDialogElement);
  #tried;
  #say;
  #refresh;
  /** What is being changed. @type {Key | null} */
  #key = null;

  /**
   * @param {HTMLElement} place @param {(act: () => Promise<void>) => unknown} tried @param {(...said: (string | Node)[]) => void} say
   * @param {() => Promise<void>} refresh
   */
  constructor(place, tried, say, refresh) {
    this.#tried = tried;
    this.#say = say;
    this.#refresh = refresh;
    this.#show = table(place, "keys", ["name", "project", "state", "models", "limits", "madeAt", "expires", "acts"]);
    place.append(byId("new-key", HTMLElement)); // below the keys that there are
    byId("new-key", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      tried(() => this.#make());
    });
    byId("key-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save();
    });
    byId("key-cancel", HTMLButtonElement).onclick = () => this.#dialog.close();
  }

  /** @param {Key[]} keys */
  show(keys) {
    this.#show(keys.map((each) => [
      each.name, each.project, each.state, each.models?.join(", ") ?? texts.all, shown(each.limits) || texts.nothing, time(each.created_at),
      each.expires_at && time(each.expires_at), each.state === "active" ? this.#acts(each) : null,
    ]));
  }

  clear() {
    this.#dialog.close();
    this.#show([]);
  }

  /** @param {Key} key */
  #acts(key) {
    return made("span", "acts", button("change", () => this.#open(key)), button("rotate", () => this.#tried(() => this.#rotate(key))), button("revoke", () => this.#tried(() => this.#revoke(key))));
  }

  async #make() {
    const [name, project] = [byId("key-name", HTMLInputElement), byId("key-project", HTMLInputElement)];
    const said = project.value.trim() ? { project: project.value.trim() } : {};
    const { key } = await (await change("admin/keys", "POST", { name: name.value.trim(), ...said })).json();
    name.value = project.value = "";
    await this.#refresh();
    this.#tell(key);
  }

  /** @param {string} key */
  #tell(key) {
    this.#say(texts.newKeyIs, made("code", "", key), button("copy", (pressed) => copy(key, pressed)));
  }

  /** @param {Key} key */
  async #revoke({ id, name }) {
    if ((await asked(texts.revokeSure(name), null, "revoke")) === null) return;
    await change(`admin/keys/${encodeURIComponent(id)}`, "DELETE");
    await this.#refresh();
  }

  /** @param {Key} key */
  async #rotate({ id, name }) {
    const hours = await asked(texts.rotateSure(name), String(GRACE_HOURS), "rotate");
    if (hours === null) return;
    const { key } = await (await change(`admin/keys/${encodeURIComponent(id)}/rotate`, "POST", { grace_s: Number(hours) * HOUR_S })).json();
    await this.#refresh();
    this.#tell(key);
  }

  /** @param {Key} key */
  #open(key) {
    this.#key = key;
    byId("key-title", HTMLElement).textContent = texts.changeKey(key.name);
    byId("key-notice", HTMLElement).textContent = "";
    for (const name of /** @type {const} */ (["name", "project"])) field(name).value = key[name];
    for (const [name] of LIMITS) field(name).value = String(key.limits[name] ?? "");
    field("models").value = key.models?.join(", ") ?? "";
    field("max_output_tokens").value = String(key.max_output_tokens ?? "");
    field("weight").value = String(key.weight);
    field("expires").value = localOf(key.expires_at);
    field("strict").checked = key.limits.strict === true;
    this.#dialog.showModal();
  }

  async #save() {
    const key = this.#key;
    if (key === null) return;
    const models = field("models").value.split(",").map((each) => each.trim()).filter(Boolean);
    const [expires, strict] = [field("expires").value, field("strict").checked || (key.limits.strict === false ? false : undefined)];
    const changed = {
      ...Object.fromEntries(["name", "project"].map((name) => [name, field(name).value.trim()])),
      models: models.length ? models : null,
      limits: { ...Object.fromEntries(LIMITS.map(([name]) => [name, numberIn(name)])), strict },
      weight: numberIn("weight"),
      max_output_tokens: numberIn("max_output_tokens"),
      ...(expires === localOf(key.expires_at) ? {} : { expires_at: expires ? new Date(expires).toISOString() : null }),
    };
    try {
      const { warnings } = await (await change(`admin/keys/${encodeURIComponent(key.id)}`, "PATCH", changed)).json();
      this.#dialog.close();
      await this.#tried(this.#refresh);
      this.#say(warnings.join(" "));
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (error.status === 401) this.#tried(async () => { throw error; });
      else byId("key-notice", HTMLElement).textContent = error.code === "unreachable" ? (texts.hints.unreachable ?? "") : error.message;
    }
  }
}
