// The question that is being answered, for when this tab is loaded again in the middle of it. Gone with the tab, and when the answer has ended.

const KEY = "pending";
const LEAVING_MS = 1000;

// Whoever leaves the page breaks off what it has asked: that is no end of the answer.
let isLeaving = false;
addEventListener("beforeunload", () => {
  isLeaving = true;
  setTimeout(() => { isLeaving = false; }, LEAVING_MS);
});

/** @param {{ id: string | null, text: string }} question the conversation, if it has a name already */
export const setPending = (question) => sessionStorage.setItem(KEY, JSON.stringify(question));
export const noPending = () => { if (!isLeaving) sessionStorage.removeItem(KEY); };

/** @returns {{ id: string | null, text: string } | null} */
export function pending() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}
