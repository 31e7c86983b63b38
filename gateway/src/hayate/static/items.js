// Items, as the history keeps them, as turns: what was asked, and the pieces of what was said to it.

/**
 * @typedef {{ type: string, text?: string, refusal?: string, image_url?: string }} Part
 * @typedef {object} Item
 * @property {string} id
 * @property {string} type
 * @property {string} [role]
 * @property {string} [status]
 * @property {Part[]} [content]
 * @property {Part[]} [summary]
 * @property {string} [call_id]
 * @property {string} [name]
 * @property {string} [arguments]
 * @property {string} [input]
 * @property {string | Part[]} [output]
 *
 * @typedef {{ text: string, pictures: string[] }} Asked
 * @typedef {{ kind: "message", text: string } | { kind: "reasoning", text: string } | { kind: "call", id: string, name: string, text: string } | { kind: "output", id: string, text: string }} Piece
 * @typedef {object} StoredTurn
 * @property {Asked} asked
 * @property {Piece[]} pieces
 * @property {boolean} cut whether the answer says that it is not whole
 * @property {string} firstId
 * @property {string} lastId
 */

/** @param {Part[] | undefined} parts */
const textOf = (parts) => (parts ?? []).map((part) => part.text ?? part.refusal ?? "").join("");

/** The system prompt that was said last, if any. @param {Item[]} items */
export const systemOf = (items) => textOf(items.findLast(isSystem)?.content);

/** @param {Item} item */
const isSystem = (item) => item.type === "message" && (item.role === "system" || item.role === "developer");

/** Every user's message begins a turn; what stands before the first is none. @param {Item[]} items @returns {StoredTurn[]} */
export function turnsOf(items) {
  /** @type {StoredTurn[]} */
  const turns = [];
  for (const item of items) {
    if (isSystem(item)) continue;
    if (item.type === "message" && item.role === "user") {
      const pictures = (item.content ?? []).flatMap((part) => (part.image_url ? [part.image_url] : []));
      turns.push({ asked: { text: textOf(item.content), pictures }, pieces: [], cut: false, firstId: item.id, lastId: item.id });
      continue;
    }
    const turn = turns.at(-1);
    if (!turn) continue;
    turn.lastId = item.id;
    turn.cut ||= item.status === "incomplete";
    const piece = pieceOf(item);
    if (piece) turn.pieces.push(piece);
  }
  return turns;
}

/** @param {Item} item @returns {Piece | null} */
function pieceOf(item) {
  if (item.type === "message") return { kind: "message", text: textOf(item.content) };
  if (item.type === "reasoning") return { kind: "reasoning", text: textOf(item.content) || textOf(item.summary) };
  if (item.type.endsWith("_call_output")) {
    const output = item.output ?? "";
    return { kind: "output", id: item.call_id ?? "", text: typeof output === "string" ? output : textOf(output) };
  }
  if (item.type.endsWith("_call")) {
    return { kind: "call", id: item.call_id ?? item.id, name: item.name ?? item.type, text: item.arguments ?? item.input ?? "" };
  }
  return null;
}
