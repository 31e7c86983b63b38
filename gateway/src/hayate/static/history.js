// The gateway's history: the conversations that it keeps for this key's project.

import { answerOf, jsonOf, posting } from "./gateway.js";

const PAGE = 30;
/** The most that the gateway gives at once. */
const ITEMS = 100;

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {number} used_at seconds since 1970
 * @property {number} turns
 * @property {Record<string, string>} metadata
 * @property {string[] | null} [snippet_parts] every second part is a hit
 * @typedef {{ data: Conversation[], last_id: string, has_more: boolean }} Page
 */

/** @param {string} id */
const pathOf = (id) => `v1/conversations/${encodeURIComponent(id)}`;

/** The last used first, or the best first. @param {{ search?: string, after?: string }} asked @returns {Promise<Page>} */
export function list({ search, after }) {
  const query = new URLSearchParams({ limit: String(PAGE), ...(search ? { search } : {}), ...(after ? { after } : {}) });
  return jsonOf(`v1/conversations?${query}`);
}

/** Whether one that has just been used is there yet: it is kept with its first answer. @param {string} id */
export const isKept = async (id) => (await list({})).data.some((each) => each.id === id);

/** @param {string} id @returns {Promise<Conversation>} */
export const show = (id) => jsonOf(pathOf(id));

/** The items before `before`, or the last, the oldest first. @param {string} id @param {string | null} before @returns {Promise<{ items: import("./items.js").Item[], more: boolean }>} */
export async function itemsBefore(id, before) {
  const query = new URLSearchParams({ limit: String(ITEMS), order: "desc", ...(before ? { after: before } : {}) });
  const page = await jsonOf(`${pathOf(id)}/items?${query}`);
  return { items: page.data.reverse(), more: page.has_more };
}

/** What was said first. @param {string} id @returns {Promise<import("./items.js").Item[]>} */
export const beginning = async (id) => (await jsonOf(`${pathOf(id)}/items?limit=3&order=asc`)).data;

/** @param {Conversation} conversation @param {string} title */
export const rename = ({ id, metadata }, title) => jsonOf(pathOf(id), posting({ metadata: { ...metadata, title } }));

/** @param {string} id */
export const remove = (id) => answerOf(pathOf(id), { method: "DELETE" });

/** A copy up to an item. @param {string} id @param {string} after @returns {Promise<Conversation>} */
export const branch = (id, after) => jsonOf(`${pathOf(id)}/branch`, posting({ after }));

/** @param {string} id @param {"json" | "md"} format */
export const exportPath = (id, format) => `${pathOf(id)}/export?format=${format}&lang=${document.documentElement.lang}`;
