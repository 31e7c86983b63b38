// The conversation that is open, as a thing: its name, and what can be done with all of it.

import { asked } from "./dialogs.js";
import { byId } from "./elements.js";
import { exportPath, remove, rename, show } from "./history.js";
import { firstWords } from "./sidebar.js";
import { texts } from "./texts.js";

/** @type {import("./history.js").Conversation | null} */
let conversation = null;

/** Counted up whenever one is asked for. */
let looks = 0;

/** @param {string | null} id @param {(error: unknown) => void} onTrouble */
export async function showAbout(id, onTrouble) {
  const [bar, look] = [byId("about", HTMLElement), ++looks];
  if (id !== conversation?.id) bar.hidden = true;
  conversation = null;
  if (id === null) return;
  try {
    const found = await show(id);
    const title = found.metadata.title ?? (await firstWords(id));
    if (look !== looks) return; // another one has been opened since
    conversation = found;
    byId("title", HTMLElement).textContent = title;
  } catch (error) {
    bar.hidden = true;
    return onTrouble(error);
  }
  bar.hidden = false;
  for (const format of /** @type {const} */ (["md", "json"])) byId(`export-${format}`, HTMLAnchorElement).href = exportPath(id, format);
}

/** @param {() => void} renamed @param {() => void} removed @param {(error: unknown) => void} onTrouble */
export function startAbout(renamed, removed, onTrouble) {
  byId("rename", HTMLButtonElement).onclick = async () => {
    if (!conversation) return;
    const title = await asked(texts.renameTo, byId("title", HTMLElement).textContent ?? "", "save");
    if (title?.trim()) await rename(conversation, title.trim()).then(renamed, onTrouble);
  };
  byId("remove", HTMLButtonElement).onclick = async () => {
    if (!conversation || (await asked(texts.removeSure, null, "remove")) === null) return;
    await remove(conversation.id).then(removed, onTrouble);
  };
}
