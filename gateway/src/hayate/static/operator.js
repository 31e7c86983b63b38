// The operator's side of the gateway, with a session apart from the caller's. Every change takes a token beside the cookie.

import { answerOf, jsonOf, posting } from "./gateway.js";

/** Of the session; null where nobody is signed in. @type {string | null} */
let token = null;

/** @param {{ signed_in: boolean, csrf: string | null }} told */
function take({ signed_in: signedIn, csrf }) {
  token = signedIn ? csrf : null;
  return signedIn;
}

export const isOperator = async () => take(await jsonOf("admin/session"));
/** @param {string} key */
export const signInOperator = async (key) => take(await jsonOf("admin/session", posting({ key })));
export async function signOutOperator() {
  await change("admin/session", "DELETE");
  token = null;
}

/** @param {string} path @param {"POST" | "PATCH" | "DELETE"} method @param {unknown} [body] */
export function change(path, method, body) {
  const sent = body === undefined ? {} : posting(body);
  return answerOf(path, { ...sent, method, headers: { ...sent.headers, "x-csrf-token": token ?? "" } });
}

/** @param {string} path @returns {Promise<any>} */
export const ask = (path) => jsonOf(path);
