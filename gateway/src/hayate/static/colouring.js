// Colours code by highlight.js, which comes in with the first code that there is. Until then, and for other languages, code has one colour.

const LANGUAGES = "bash cpp csharp css diff dockerfile go ini java javascript json markdown python rust sql typescript xml yaml".split(" ");
/** What is longer would keep the page busy. */
const MOST_CHARS = 30_000;

/**
 * The little of it that the page asks for.
 * @typedef {object} Highlighter
 * @property {(name: string, language: unknown) => void} registerLanguage
 * @property {(name: string) => unknown} getLanguage
 * @property {(code: string, options: { language: string, ignoreIllegals: boolean }) => { value: string }} highlight
 */

/** @type {Highlighter | null} */
let highlighter = null;

/** @param {string} name @returns {Promise<any>} */
const taken = async (name) => (await import(`./vendor/highlight/${name}.js`)).default;

async function load() {
  /** @type {Highlighter} */
  const core = await taken("core");
  await Promise.all(LANGUAGES.map(async (name) => core.registerLanguage(name, await taken(name))));
  highlighter = core;
}

/** @type {Promise<void> | null} */
let loading = null;

export const isReady = () => highlighter !== null;

/** Settles when there are colours, or can't be. */
export const ready = () => (loading ??= load().catch(() => {}));

/** The code as HTML, or null where it is left as it is. @param {string} code @param {string} language */
export function coloured(code, language) {
  if (code.length > MOST_CHARS || !highlighter?.getLanguage(language)) return null;
  return highlighter.highlight(code, { language, ignoreIllegals: true }).value;
}
