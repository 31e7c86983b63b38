// The operator's side of the gateway, with a session apart from the caller's. Every change takes a token beside the cookie, which
// is kept in memory alone.

import { answerOf, jsonOf, posting, Trouble } from "./gateway.js";

const TOKEN = "x-csrf-token";
/** Of the session; null where nobody is signed in. @type {string | null} */
let token = null;
/** Whether the gateway takes the key over plain http from another machine. */
let overHttp = false;

/** @param {{ signed_in: boolean, csrf: string | null, over_http: boolean }} told */
function take({ signed_in: signedIn, csrf, over_http: allowed }) {
  token = signedIn ? csrf : null;
  overHttp = allowed;
  return signedIn;
}

export const isOperator = async () => take(await jsonOf("admin/session"));
/** Whether the key may be typed here; known once `isOperator` has asked. */
export const maySignIn = () => isSecureContext || overHttp;
/** @param {string} key */
export const signInOperator = async (key) => take(await jsonOf("admin/session", posting({ key })));
export async function signOutOperator() {
  await change("admin/session", "DELETE");
  token = null;
}

/** @param {string} path @param {"POST" | "PATCH" | "DELETE"} method @param {unknown} [body] */
export async function change(path, method, body) {
  const sent = body === undefined ? {} : posting(body);
  const send = () => answerOf(path, { ...sent, method, headers: { ...sent.headers, [TOKEN]: token ?? "" } });
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof Trouble) || error.param !== TOKEN || !(await isOperator())) throw error;
    return send(); // another tab has signed in anew, and the token was the old session's
  }
}

/** @param {string} path @returns {Promise<any>} */
export const ask = (path) => jsonOf(path);
