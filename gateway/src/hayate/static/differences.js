// Two texts, word by word: what the second lacks of the first, and what it has beside.

import { made } from "./elements.js";
import { visible } from "./markdown.js";
import { diffArrays } from "./vendor/diff/diff/array.js";

/** Texts that have little in common would take long; then the second is shown as all new. */
const LONGEST_MS = 300;

/** Words, in languages without blanks between them too. @param {string} text */
const wordsOf = (text) => [...new Intl.Segmenter(undefined, { granularity: "word" }).segment(text)].map(({ segment }) => segment);

/** @param {string} first @param {string} second @returns {(HTMLElement | string)[]} */
export function differences(first, second) {
  const [before, after] = [visible(first), visible(second)];
  const changes = diffArrays(wordsOf(before), wordsOf(after), { timeout: LONGEST_MS });
  if (!changes) return [made("del", "", before), made("ins", "", after)];
  return changes.map(({ value, added, removed }) => {
    const text = value.join("");
    return added ? made("ins", "", text) : removed ? made("del", "", text) : text;
  });
}
