// The callers' keys, for the operator: made, changed, given a new secret, revoked.

import { copy } from "./copying.js";
import { asked } from "./dialogs.js";
import { button, byId, made } from "./elements.js";
import { Trouble } from "./gateway.js";
import { ask, change } from "./operator.js";
import { Rows } from "./rows.js";
import { inState, texts } from "./texts.js";
import { number, time } from "./times.js";

/** The limits of a key, each beside its text. */
const LIMITS = /** @type {const} */ ([
  ["requests_per_minute", "perMinute"], ["tokens_per_minute", "tokensPerMinute"], ["input_tokens_per_minute", "inputPerMinute"],
  ["output_tokens_per_minute", "outputPerMinute"], ["concurrency", "atOnce"],
]);
const HOUR_S = 3600;
const GRACE_HOURS = 24;
/** So many are asked for at once; more when somebody scrolls there. */
const PAGE = 1000;

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
  /** What those are called that have been read. @type {Map<string, string>} */
  names = new Map();
  /** @type {Rows<Key>} */
  #rows;
  /** How many of the rows are looked at again and again, and what they said. */
  #first = 0;
  #shown = "";
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
    this.#rows = new Rows(place, "keys", ["name", "project", "state", "models", "limits", "madeAt", "expires", "acts"], {
      cells: (key) => this.#cells(key),
      load: async ({ id }) => this.#named(await ask(`${Keys.path}&${new URLSearchParams({ after: id })}`)),
      tried,
    });
    this.#rows.box.classList.add("all-keys");
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

  /** Where the oldest of them are. */
  static path = `admin/keys?limit=${PAGE}`;

  /** The oldest of them, as they are now; whoever has scrolled on keeps what came after. @param {import("./rows.js").Page<Key>} told */
  show({ data, has_more: more }) {
    this.#named({ data, has_more: more });
    const now = JSON.stringify([document.documentElement.lang, data]);
    if (now === this.#shown) return;
    const rest = this.#rows.rows[this.#first - 1]?.id === data.at(-1)?.id ? this.#rows.rows.slice(this.#first) : [];
    this.#shown = now;
    this.#first = data.length;
    this.#rows.fill([...data, ...rest], rest.length ? this.#rows.hasMore : more);
  }

  /** Notes what these are called. @param {import("./rows.js").Page<Key>} page */
  #named(page) {
    for (const { id, name } of page.data) this.names.set(id, name);
    return page;
  }

  clear() {
    this.#dialog.close();
    this.names.clear();
    this.#rows.toTop();
    this.show({ data: [], has_more: false });
  }

  /** @param {Key} key */
  #cells(key) {
    return [
      key.name, key.project, inState(key.state), key.models?.join(", ") ?? texts.all, shown(key.limits) || texts.nothing, time(key.created_at),
      key.expires_at && time(key.expires_at), key.state === "active" ? this.#acts(key) : null,
    ];
  }

  /** A key is another by now, wherever it stands. @param {Key} key */
  #changed(key) {
    this.#rows.fill(this.#rows.rows.map((each) => (each.id === key.id ? key : each)), this.#rows.hasMore);
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
    this.#changed(await (await change(`admin/keys/${encodeURIComponent(id)}`, "DELETE")).json());
    await this.#refresh();
  }

  /** @param {Key} key */
  async #rotate({ id, name }) {
    const hours = await asked(texts.rotateSure(name), String(GRACE_HOURS), "rotate");
    if (hours === null) return;
    const { key, ...now } = await (await change(`admin/keys/${encodeURIComponent(id)}/rotate`, "POST", { grace_s: Number(hours) * HOUR_S })).json();
    this.#changed(now);
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
      const { warnings, ...now } = await (await change(`admin/keys/${encodeURIComponent(key.id)}`, "PATCH", changed)).json();
      this.#changed(now);
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
