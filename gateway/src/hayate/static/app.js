// The debug page: who is signed in, in which language, and which view is open.

import { showAbout, startAbout } from "./about.js";
import { Chat } from "./chat.js";
import { Compare } from "./compare.js";
import { Composer } from "./composer.js";
import { byId } from "./elements.js";
import { isSignedIn, signIn, signOut, Trouble } from "./gateway.js";
import { chosen, defaultsOf, onModel, refreshModels, takesPictures } from "./models.js";
import { Operations } from "./operations.js";
import { noPending } from "./pending.js";
import { showDefaults, showSet, startSettings } from "./settings.js";
import { Sidebar } from "./sidebar.js";
import { preferredLanguage, setLanguage, texts } from "./texts.js";
import { startTheme } from "./theme.js";

const MODELS_EVERY_MS = 10_000;
/** A key without the area, and a gateway without a history. */
const NO_HISTORY = [403, 501];

const signedIn = byId("signed-in", HTMLElement);

/** @param {boolean} now */
function show(now, notice = "") {
  signedIn.hidden = byId("picker", HTMLElement).hidden = byId("sign-out", HTMLElement).hidden = !now;
  byId("open-sidebar", HTMLElement).hidden = !now;
  byId("signed-out", HTMLElement).hidden = now;
  byId("sign-in-notice", HTMLElement).textContent = notice;
  if (isOperating()) open();
  else if (now) composer.focus();
  else byId("key", HTMLElement).focus();
  models();
}

/** The gateway's own words where they are about the session's key; a cookie that is gone has none of its own. @param {Trouble} trouble */
const whyEnded = ({ status, param, message }) => (status === undefined || param === "session" ? message : texts.sessionEnded);

/** @param {unknown} error */
function onTrouble(error) {
  if (!(error instanceof Trouble)) throw error;
  if (error.status === 401 || error.code === "invalid_api_key") show(false, whyEnded(error));
  else if (NO_HISTORY.includes(error.status ?? 0)) setMemory(false);
}

/** @param {boolean} memory */
function setMemory(memory) {
  chat.memory = memory;
  byId("sidebar", HTMLElement).hidden = byId("no-memory", HTMLElement).hidden = !memory;
  byId("no-memory", HTMLElement).hidden = memory;
  document.body.classList.toggle("without-memory", !memory);
}

async function models() {
  if (signedIn.hidden || document.hidden) return;
  await refreshModels().catch(onTrouble);
}

/** @param {string | null} id */
function changed(id) {
  if (signedIn.hidden || !chat.memory) return;
  sidebar.show(id);
  sidebar.refresh();
  showAbout(id, () => {});
}

// What the address names: a view, and in the chat a conversation.
const isComparing = () => location.hash === "#/compare";
const isOperating = () => location.hash === "#/operations";
const idInHash = () => /^#\/chat\/(conv_[0-9a-f]+)$/.exec(location.hash)?.[1] ?? null;

/** Shows what the address names. */
function open() {
  const [comparing, operating] = [isComparing(), isOperating()];
  if (comparing || operating) chat.stop();
  if (!comparing) compare.stop();
  document.body.classList.toggle("comparing", comparing);
  document.body.classList.toggle("operating", operating);
  byId("operations", HTMLElement).hidden = !operating;
  if (operating) operations.open();
  else operations.close();
  const views = /** @type {const} */ ([["to-chat", !comparing && !operating], ["to-compare", comparing], ["to-operations", operating]]);
  for (const [id, current] of views) {
    if (current) byId(id, HTMLAnchorElement).setAttribute("aria-current", "page");
    else byId(id, HTMLAnchorElement).removeAttribute("aria-current");
  }
  byId("compare", HTMLElement).hidden = !comparing;
  showFacts();
  return comparing || operating || signedIn.hidden ? undefined : chat.open(idInHash());
}

/** What is known of whoever is asked, where a question is written. */
function showFacts() {
  const asked = isComparing() ? compare.models : [chosen()];
  composer.takesPictures = takesPictures(asked);
  showDefaults(defaultsOf(asked));
}

/** @param {string} language */
function showLanguage(language) {
  setLanguage(language);
  showSet();
  showFacts();
  models();
  if (!signedIn.hidden) chat.tell().catch(onTrouble);
}

function begin() {
  show(true);
  setMemory(true);
  if (isOperating()) return;
  if (isComparing() || chat.id === null || chat.id !== idInHash()) open();
  else chat.tell().catch(onTrouble);
}

function newChat() {
  if (location.hash && location.hash !== "#/chat") location.hash = "#/chat";
  else open();
  composer.focus();
}

const composer = new Composer((asked) => (isComparing() ? compare : chat).ask(asked), () => (isComparing() ? compare : chat).stop());
const sidebar = new Sidebar(onTrouble);
const chat = new Chat(composer, changed, onTrouble);
const compare = new Compare(composer, showFacts, onTrouble);
const operations = new Operations();
onModel(showFacts);
startTheme();
startSettings();
startAbout(() => changed(chat.id), newChat, onTrouble);
addEventListener("hashchange", open);
byId("new", HTMLButtonElement).onclick = newChat;

byId("language", HTMLButtonElement).onclick = () => {
  localStorage.setItem("language", texts.otherLang);
  showLanguage(texts.otherLang);
};

byId("sign-in", HTMLFormElement).addEventListener("submit", async (event) => {
  event.preventDefault();
  const key = byId("key", HTMLInputElement);
  try {
    await signIn(key.value.trim());
    key.value = "";
    begin();
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    const wrong = error.status === 401 && error.param === "key";
    const hint = wrong ? texts.wrongKey : error.status === 401 ? error.message : texts.hints[error.code ?? ""];
    show(false, hint ?? `${texts.signInFailed}: ${error.message}`);
    key.select();
  }
});

byId("sign-out", HTMLButtonElement).onclick = async () => {
  signedIn.hidden = true; // nothing more is asked for
  history.replaceState(null, "", location.pathname);
  compare.clear();
  sidebar.clear();
  await chat.open(null);
  noPending();
  const done = await signOut().then(() => true, () => false);
  show(false, done ? "" : texts.hints.unreachable);
};

showLanguage(preferredLanguage());
isSignedIn().then((now) => (now ? begin() : show(false)), () => show(false, texts.hints.unreachable));
setInterval(models, MODELS_EVERY_MS);
document.addEventListener("visibilitychange", models);
