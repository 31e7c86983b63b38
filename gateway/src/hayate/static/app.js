// The debug page: sign in, choose a model, ask, watch the answer arrive, stop it.

import { ask, isSignedIn, listModels, signIn, signOut } from "./gateway.js";
import { preferredLanguage, setLanguage, texts } from "./texts.js";
import { Turn } from "./turn.js";

const MODELS_EVERY_MS = 10_000;

const byId = (id) => document.getElementById(id);
const log = byId("log");
const prompt = byId("prompt");
let running = null; // the turn being answered and what stops it
let known = ""; // the models shown, as JSON

function showLanguage(language) {
  setLanguage(language);
  known = "";
  refreshModels();
}

function show(signedIn, notice = "") {
  byId("signed-in").hidden = byId("picker").hidden = byId("sign-out").hidden = !signedIn;
  byId("signed-out").hidden = signedIn;
  byId("sign-in-notice").textContent = notice;
  (signedIn ? prompt : byId("key")).focus();
  refreshModels();
}

// The gateway's own words where they are about the session's key; a cookie that is gone has none of its own.
const whyEnded = ({ status, param, message }) => (status === undefined || param === "session" ? message : texts.sessionEnded);

async function refreshModels() {
  if (byId("signed-in").hidden || document.hidden) return;
  try {
    showModels(await listModels());
  } catch (error) {
    if (error.status === 401) show(false, whyEnded(error));
    byId("ready-dot").classList.remove("ready");
  }
}

function showModels([aliases, deployments]) {
  const now = JSON.stringify([aliases, deployments]);
  if (now === known) return;
  known = now;
  const select = byId("model");
  const chosen = select.value || "default";
  select.replaceChildren();
  for (const [label, models] of [[texts.aliases, aliases], [texts.deployments, deployments]]) {
    if (!models.length) continue;
    const group = select.appendChild(document.createElement("optgroup"));
    group.label = label;
    for (const { id, hayate } of models) {
      const target = hayate.kind === "alias" && hayate.targets?.length ? ` → ${hayate.targets.join(", ")}` : "";
      const option = group.appendChild(new Option(`${id}${target}${hayate.ready ? "" : ` (${hayate.reason?.text ?? texts.notReady})`}`, id));
      option.dataset.ready = hayate.ready;
      option.dataset.reason = hayate.reason?.text ?? texts.notReady;
      option.selected = id === chosen;
    }
  }
  showReadiness();
}

function showReadiness() {
  const [option] = byId("model").selectedOptions;
  const ready = option?.dataset.ready === "true";
  byId("ready-dot").classList.toggle("ready", ready);
  byId("not-ready").textContent = ready || !option ? "" : `${option.value}: ${option.dataset.reason}`;
}

function questionFromForm() {
  const question = { prompt: prompt.value, model: byId("model").value };
  if (byId("system").value.trim()) question.system = byId("system").value;
  for (const name of ["max_tokens", "temperature", "seed"]) {
    if (byId(name).value !== "") question[name] = byId(name).valueAsNumber;
  }
  return question;
}

function start(question) {
  if (running) return;
  const turn = new Turn(question, start);
  const end = (status) => {
    running = null;
    showRunning(false, status);
  };
  const failed = ({ status, code, message, param }) => {
    const hint = texts.hints[code] ?? texts.unknownError;
    turn.fail(hint, message);
    end(hint);
    // In the middle of an answer there is no status any more: the key of this session was revoked.
    if (status === 401 || code === "invalid_api_key") show(false, whyEnded({ status, param, message }));
    else refreshModels();
  };
  const stop = ask(question, {
    event: (event) => turn.addEvent(event),
    delta: (delta) => { turn.addDelta(delta); followAnswer(); },
    done: (answer) => { turn.finish(answer); end(texts.finished); },
    dropped: () => { turn.fail(texts.dropped); end(texts.dropped); },
    failed,
  });
  running = { stop: () => { stop(); turn.stop(); end(texts.stopped); } };
  byId("welcome").hidden = true;
  log.append(turn.element);
  atEnd = true;
  showRunning(true, texts.answering);
}

function showRunning(now, status) {
  byId("send").hidden = now;
  byId("stop").hidden = !now;
  byId("status").textContent = status;
  followAnswer();
}

// Keeps the newest words in sight, once a frame, unless the person has scrolled up to read.
let atEnd = true;
let scrolled = 0;
let frame = 0;
function followAnswer() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    if (atEnd) log.scrollTop = log.scrollHeight;
  });
}
log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60 || (atEnd && log.scrollTop >= scrolled);
  scrolled = log.scrollTop;
});

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (running || !prompt.value.trim()) return;
  start(questionFromForm());
  prompt.value = "";
  prompt.focus();
});

// A browser can't point at a field inside closed settings: open them first.
byId("ask").addEventListener("invalid", () => { byId("settings").open = true; }, true);
prompt.addEventListener("keydown", (event) => {
  // While an IME composes, Enter accepts its conversion. Safari says so by keyCode 229 only.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
  event.preventDefault();
  byId("ask").requestSubmit();
});

byId("stop").onclick = () => { running?.stop(); prompt.focus(); };
byId("model").onchange = showReadiness;
byId("language").onclick = () => {
  localStorage.setItem("language", texts.otherLang);
  showLanguage(texts.otherLang);
};

byId("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const error = await signIn(byId("key").value.trim()).catch(() => ({ code: "unreachable" }));
  const wrong = error?.status === 401 && error.param === "key";
  const hint = wrong ? texts.wrongKey : error?.status === 401 ? error.message : texts.hints[error?.code];
  show(!error, error ? (hint ?? `${texts.signInFailed}: ${error.message}`) : "");
  if (error) byId("key").select();
  else byId("key").value = "";
});

byId("sign-out").onclick = async () => {
  running?.stop();
  const response = await signOut().catch(() => null);
  for (const turn of log.querySelectorAll(".turn")) turn.remove();
  byId("welcome").hidden = false;
  show(false, response?.ok ? "" : texts.hints.unreachable);
};

showLanguage(preferredLanguage());
isSignedIn().then(show, () => show(false, texts.hints.unreachable));
setInterval(refreshModels, MODELS_EVERY_MS);
document.addEventListener("visibilitychange", refreshModels);
