// A model's Markdown as elements. Whatever it says is untrusted: HTML is shown as the text that it is, nothing is fetched, links lead
// to the web alone, and what came of all that passes DOMPurify before it becomes part of the page.

import { coloured, isReady, ready } from "./colouring.js";
import { copy } from "./copying.js";
import { button, made } from "./elements.js";
import { texts } from "./texts.js";
import DOMPurify from "./vendor/dompurify.js";
import { Lexer, Marked, Parser, Renderer } from "./vendor/marked.js";

/** @typedef {import("./vendor/marked.js").Token} Token */

const SAFE_LINK = /^(?:https?:|mailto:)/i;
/** Deeper than anybody writes; the parser would go down there by recursion. */
const TOO_DEEP = /^(?:[ \t]{0,8}(?:>|[-*+][ \t]|\d{1,9}[.)][ \t])){25}/m;
const LATEX = [/^\\\([^]{1,2000}?\\\)/, /^\\\[[^]{1,2000}?\\\]/, /^\$\$[^$]{1,2000}\$\$/, /^\$(?![\s$])[^$\n]{1,200}(?<!\s)\$(?!\d)/];
// What can't be seen, or turns the text beside it round: the first get a sign, the others their number.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f]/g;
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g;

const SANITISED = {
  ALLOWED_TAGS: "a blockquote br code del em h1 h2 h3 h4 h5 h6 hr li ol p pre span strong table tbody td th thead tr ul".split(" "),
  ALLOWED_ATTR: ["href", "target", "rel", "class", "start", "align"],
  ALLOWED_URI_REGEXP: SAFE_LINK,
  ADD_URI_SAFE_ATTR: ["target", "rel", "start", "align"], // no addresses
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: /** @type {const} */ (true),
};

/** @type {Record<string, string>} */
const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
/** @param {string} text */
const escaped = (text) => text.replace(/[&<>"']/g, (each) => ENTITIES[each] ?? "");
/** The same, but what is an entity already says what it stands for. @param {string} text */
const entitled = (text) => text.replace(/[<>"']|&(?!(?:#\d{1,7}|#[Xx][a-fA-F0-9]{1,6}|\w+);)/g, (each) => ENTITIES[each] ?? "");

class Shown extends Renderer {
  /** @override @param {import("./vendor/marked.js").Tokens.HTML | import("./vendor/marked.js").Tokens.Tag} token */
  html(token) {
    return "block" in token && token.block ? `<p class="as-is">${escaped(token.raw.trimEnd())}</p>` : escaped(token.raw);
  }
  /** @override @param {import("./vendor/marked.js").Tokens.Image} token */
  image(token) {
    return escaped(token.raw);
  }
  /** @override @param {import("./vendor/marked.js").Tokens.Link} token */
  link(token) {
    if (!SAFE_LINK.test(token.href)) return escaped(token.raw);
    return `<a href="${escaped(token.href)}" target="_blank" rel="noopener noreferrer">${this.parser.parseInline(token.tokens)}</a>`;
  }
  /** @override @param {import("./vendor/marked.js").Tokens.Text | import("./vendor/marked.js").Tokens.Escape} token */
  text(token) {
    return "tokens" in token && token.tokens ? this.parser.parseInline(token.tokens) : entitled(token.text);
  }
  /** @override @param {import("./vendor/marked.js").Tokens.Checkbox} token */
  checkbox(token) {
    return token.checked ? "☑ " : "☐ ";
  }
  /** @override @param {import("./vendor/marked.js").Tokens.Code} token */
  code({ text, lang }) {
    const language = /^[\w+#.-]{1,30}/.exec(lang ?? "")?.[0].toLowerCase() ?? "";
    return `<pre><code class="language-${language}">${coloured(text, language) ?? escaped(text)}</code></pre>`;
  }
}

const marked = new Marked({ gfm: true, breaks: true });
marked.setOptions({ renderer: new Shown() });
marked.use({
  extensions: [{
    name: "latex", // as text: neither its backslashes nor its underscores are Markdown
    level: "inline",
    start: (source) => source.search(/\\[([]|\$/),
    tokenizer(source) {
      const raw = LATEX.map((form) => form.exec(source)?.[0]).find(Boolean);
      return raw ? { type: "latex", raw } : undefined;
    },
    renderer: ({ raw }) => `<span class="latex">${escaped(raw)}</span>`,
  }],
});

/** Control characters made visible. @param {string} text */
export const visible = (text) =>
  text
    .replace(/\r\n?/g, "\n")
    .replace(UNSEEN, (each) => (each === "\u007f" ? "␡" : String.fromCharCode(0x2400 + each.charCodeAt(0))))
    .replace(TURNING, (each) => `⟨U+${each.charCodeAt(0).toString(16).toUpperCase()}⟩`);

/** The blocks of a text, in order; `links` are the link targets that were named so far. @param {string} text @param {import("./vendor/marked.js").Links} links @returns {Token[]} */
export function blocksOf(text, links) {
  if (!TOO_DEEP.test(text)) {
    try {
      const lexer = new Lexer(marked.defaults);
      lexer.tokens.links = links;
      return lexer.lex(text);
    } catch { /* too deep all the same */ }
  }
  return [{ type: "html", block: true, pre: false, raw: text, text }];
}

/** @param {Token[]} blocks @returns {DocumentFragment} */
export function elementsOf(blocks) {
  const fragment = DOMPurify.sanitize(Parser.parse(blocks, marked.defaults), SANITISED);
  for (const pre of fragment.querySelectorAll("pre")) pre.replaceWith(codeBox(pre));
  for (const table of fragment.querySelectorAll("table")) {
    const box = made("div", "table");
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", texts.table);
    table.replaceWith(box);
    box.append(table);
  }
  for (const blank of [...fragment.childNodes]) if (blank instanceof Text && !blank.data.trim()) blank.remove();
  return fragment;
}

/** @param {HTMLPreElement} pre */
function codeBox(pre) {
  const language = /language-(\S+)/.exec(pre.firstElementChild?.className ?? "")?.[1] ?? "";
  const copying = button("copy", (pressed) => copy(shown.textContent ?? "", pressed));
  const head = made("div", "code-head", made("span", "code-language", language), copying);
  const shown = /** @type {HTMLPreElement} */ (pre.cloneNode(true)); // the other is about to be replaced by all this
  shown.tabIndex = 0;
  if (language && !isReady()) ready().then(() => colour(shown.firstElementChild, language));
  return made("div", "code", head, shown);
}

/** Colours code that stood there before the colours. @param {Element | null} code @param {string} language */
function colour(code, language) {
  const html = coloured(code?.textContent ?? "", language);
  if (html !== null) code?.replaceChildren(DOMPurify.sanitize(html, SANITISED));
}
