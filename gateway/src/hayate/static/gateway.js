// What the page asks the gateway, and the gateway's own words about what went wrong.
// Every path is relative: behind a proxy the gateway may be served in a folder of its host.

/**
 * @typedef {object} Model
 * @property {string} id
 * @property {{ input_modalities: string[] } | null} architecture null: not known
 * @property {Record<string, number>} default_parameters what holds where a request says nothing, as far as it is known
 * @property {{ kind: string, targets?: string[], ready: boolean, reason?: { text: string } | null, context_tokens?: number | null }} hayate
 */

/** A failure: the status and the error object of the answer, or `unreachable` where there was no answer. */
export class Trouble extends Error {
  /** @param {import("./reading.js").Failure} said */
  constructor({ status, code, param, message }) {
    super(message ?? "");
    this.status = status;
    this.code = code;
    this.param = param;
  }
}

/** An answer that is no error. @param {string} path @param {RequestInit} options @throws {Trouble} */
export async function answerOf(path, options = {}) {
  const headers = { "Accept-Language": document.documentElement.lang, ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Trouble({ code: "unreachable" });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  throw new Trouble({ message: `HTTP ${response.status}`, ...body?.error, status: response.status });
}

/** @param {unknown} body @returns {RequestInit} */
export const posting = (body) => ({ method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** @param {string} path @param {RequestInit} options */
export const jsonOf = async (path, options = {}) => (await answerOf(path, options)).json();

export const isSignedIn = async () => Boolean((await jsonOf("session")).signed_in);
/** @param {string} key */
export const signIn = (key) => answerOf("session", posting({ key }));
export const signOut = () => answerOf("session", { method: "DELETE" });

/** Aliases first, each part in the gateway's order. @returns {Promise<Model[][]>} */
export async function listModels() {
  /** @type {Model[]} */
  const models = (await jsonOf("v1/models")).data;
  return ["alias", "deployment"].map((kind) => models.filter((model) => model.hayate.kind === kind));
}
