// What the page says to the gateway: the session, the models, and one question at a time over EventSource.

const askFor = (path, options = {}) =>
  fetch(path, { ...options, headers: { "Accept-Language": document.documentElement.lang, ...options.headers } });

// The gateway's own words about a failure: its error body with the status, or the bare status.
async function errorOf(response) {
  const body = await response.json().catch(() => null);
  return { status: response.status, ...(body?.error ?? { message: `HTTP ${response.status}` }) };
}

export async function isSignedIn() {
  const response = await askFor("/session");
  return response.ok && (await response.json()).signed_in;
}

// Null when the key was taken, else what was wrong.
export async function signIn(key) {
  const response = await askFor("/session", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ key }) });
  return response.ok ? null : errorOf(response);
}

export const signOut = () => askFor("/session", { method: "DELETE" });

// Aliases first, each part in the gateway's order.
export async function listModels() {
  const response = await askFor("/v1/models");
  if (!response.ok) throw Object.assign(new Error(), await errorOf(response));
  const models = (await response.json()).data;
  return ["alias", "deployment"].map((kind) => models.filter((model) => model.hayate.kind === kind));
}

export const questionUrl = (question) => `/generate_stream?${new URLSearchParams(question)}`;

// Asks `question` and reports to `on`: event (each one, as received), delta, done, failed, dropped.
// An EventSource that loses its stream connects again, which would run the question again: so it is closed at the
// first `done` and at the first error of any kind. Returns what stops it; nothing is reported after that.
export function ask(question, on) {
  const source = new EventSource(questionUrl(question));
  let opened = false;
  let live = true;
  const end = () => { live = false; source.close(); };
  source.onopen = () => (opened = true);
  source.onmessage = (event) => {
    on.event(event);
    on.delta(JSON.parse(event.data).delta ?? "");
  };
  source.addEventListener("done", (event) => {
    end();
    on.event(event);
    on.done(JSON.parse(event.data));
  });
  source.addEventListener("error", async (event) => {
    const refused = source.readyState === EventSource.CLOSED;
    source.close();
    if (event.data !== undefined) {
      on.event(event);
      on.failed(JSON.parse(event.data).error);
    } else if (opened) {
      on.dropped();
    } else {
      const error = refused ? await whyRefused(question) : { code: "unreachable" };
      if (live) on.failed(error);
    }
  });
  return end;
}

// EventSource hides the status and body of a refusal; a fetch of the same URL shows them. Should the gateway take the
// question this time, the fetch is aborted at its first header, and the person decides whether to ask again.
async function whyRefused(question) {
  const probe = new AbortController();
  const timer = setTimeout(() => probe.abort(), 10_000);
  try {
    const response = await askFor(questionUrl(question), { signal: probe.signal });
    return response.ok ? { code: "refused" } : await errorOf(response);
  } catch (error) {
    return { code: error.name === "AbortError" ? "refused" : "unreachable" };
  } finally {
    clearTimeout(timer);
    probe.abort();
  }
}

// The same question for a terminal; the key stays in the shell's environment.
export function asCurl(question) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const headers = `-H "Authorization: Bearer $HAYATE_API_KEY" -H 'Content-Type: application/json'`;
  return `curl -N ${location.origin}/generate_stream ${headers} -d ${quoted(JSON.stringify(question))}`;
}
