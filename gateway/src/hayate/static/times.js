// Times and numbers as the page's language writes them. What formats them is dear to make and kept.

const lang = () => document.documentElement.lang;
/** @type {Map<string, { time: Intl.DateTimeFormat, number: Intl.NumberFormat }>} */
const made = new Map();

function formats() {
  const known = made.get(lang());
  if (known) return known;
  const fresh = { time: new Intl.DateTimeFormat(lang(), { dateStyle: "short", timeStyle: "medium" }), number: new Intl.NumberFormat(lang()) };
  made.set(lang(), fresh);
  return fresh;
}

/** @param {string | number} at in ISO 8601, or in milliseconds since 1970 */
export const time = (at) => formats().time.format(new Date(at));
/** A day in UTC. @param {string} iso */
export const day = (iso) => new Date(iso).toLocaleDateString(lang(), { timeZone: "UTC" });
/** @param {number} value */
export const number = (value) => formats().number.format(value);
/** @param {number | null} ms */
export const seconds = (ms) => (ms === null ? null : `${(ms / 1000).toFixed(2)} s`);
