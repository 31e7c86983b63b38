// The question that is being answered, for when this tab is loaded again in the middle of it. Gone with the tab, and when the answer has ended.

const KEY = "pending";

/** @param {{ id: string | null, text: string }} question the conversation, if it has a name already */
export const setPending = (question) => sessionStorage.setItem(KEY, JSON.stringify(question));
export const noPending = () => sessionStorage.removeItem(KEY);

/** @returns {{ id: string | null, text: string } | null} */
export function pending() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
