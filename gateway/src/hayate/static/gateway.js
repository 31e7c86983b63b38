// What the page says to the gateway: the session, the models, and one question at a time.
// Every path is relative: behind a proxy the gateway may be served in a folder of its host.

const askFor = (path, options = {}) =>
  fetch(path, { ...options, headers: { "Accept-Language": document.documentElement.lang, ...options.headers } });

// The gateway's own words about a failure: its error body with the status, or the bare status.
async function errorOf(response) {
  const body = await response.json().catch(() => null);
  return { status: response.status, ...(body?.error ?? { message: `HTTP ${response.status}` }) };
}

export async function isSignedIn() {
  const response = await askFor("session");
  return response.ok && (await response.json()).signed_in;
}

// Null when the key was taken, else what was wrong.
export async function signIn(key) {
  const response = await askFor("session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }) });
  return response.ok ? null : errorOf(response);
}

export const signOut = () => askFor("session", { method: "DELETE" });

// Aliases first, each part in the gateway's order.
export async function listModels() {
  const response = await askFor("v1/models");
  if (!response.ok) throw Object.assign(new Error(), await errorOf(response));
  const models = (await response.json()).data;
  return ["alias", "deployment"].map((kind) => models.filter((model) => model.hayate.kind === kind));
}

// Some proxies take no longer URL; a longer question is POSTed.
const LONGEST_URL = 4000;

// Asks `question` once, and reports to `on`: event (each one, as received), delta, done, failed, dropped. Returns what stops
// it; nothing is reported after that. Not over EventSource, which hides why a question was refused and, when it loses its
// stream, connects again by itself.
export function ask(question, on) {
  const stopper = new AbortController();
  const reporting = (name) => (...said) => { if (!stopper.signal.aborted) on[name](...said); };
  const names = ["event", "delta", "done", "failed", "dropped"];
  follow(question, Object.fromEntries(names.map((name) => [name, reporting(name)])), stopper.signal);
  return () => stopper.abort();
}

async function follow(question, on, signal) {
  let response;
  try {
    response = await send(question, signal);
    if (!response.ok) return on.failed(await errorOf(response));
  } catch {
    return on.failed({ code: "unreachable" });
  }
  let ended = false;
  try {
    for await (const event of eventsOf(response.body)) {
      on.event(event);
      const said = JSON.parse(event.data);
      ended ||= event.type !== "message";
      if (event.type === "done") on.done(said);
      else if (event.type === "error") on.failed(said.error);
      else on.delta(said.delta ?? "");
    }
  } catch { /* the connection was lost */ }
  if (!ended) on.dropped();
}

function send(question, signal) {
  const url = `generate_stream?${new URLSearchParams(question)}`;
  if (url.length <= LONGEST_URL) return askFor(url, { signal });
  return askFor("generate_stream", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question), signal });
}

// The events of a body, as EventSource would tell them.
async function* eventsOf(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let [rest, type, data, lastEventId] = ["", "", [], ""];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const [, name, text] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === "data") data.push(text);
      else if (name === "event") type = text;
      else if (name === "id") lastEventId = text;
      else if (line === "") {
        if (data.length) yield { type: type || "message", data: data.join("\n"), lastEventId };
        [type, data] = ["", []];
      }
    }
  }
}

// The same question for a terminal; the key stays in the shell's environment.
export function asCurl(question) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = `-H "Authorization: Bearer $HAYATE_API_KEY" -H 'Content-Type: application/json'`;
  return `curl -N ${new URL("generate_stream", document.baseURI)} ${headers} -d ${quoted(JSON.stringify(question))}`;
}
