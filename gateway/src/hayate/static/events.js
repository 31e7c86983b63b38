// A stream of server-sent events as it comes in, with the time of each.

/**
 * @typedef {object} StreamEvent A comment, or an event's data; `raw` is what came over the wire.
 * @property {number} atMs since the request was sent
 * @property {string} raw
 * @property {string} [comment]
 * @property {string} [data]
 */

/** @param {ReadableStream<Uint8Array>} body @param {() => number} now @returns {AsyncGenerator<StreamEvent>} */
export async function* eventsOf(body, now) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  /** @type {string[]} */
  let block = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const atMs = now();
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.startsWith(":")) yield { atMs, raw: line, comment: line.slice(1).trim() };
      else if (line) block.push(line);
      else if (block.length) {
        const data = block.filter((each) => each.startsWith("data:")).map((each) => each.slice(5).replace(/^ /, ""));
        yield { atMs, raw: block.join("\n"), ...(data.length ? { data: data.join("\n") } : {}) };
        block = [];
      }
    }
  }
}
