/** Reads server-sent events out of an answer: `EventSource` sends no tokens. */

/** An event. */
export interface SentEvent {
  readonly name: string;
  readonly data: string;
}

/** Programs send a comment every 15 s; a stream on which nothing comes for this long is dead, in milliseconds. */
const QUIET_MS = 40_000;

/** The longest event that is read: the list of many thousands of nodes. */
const EVENT_LENGTH_MAX = 64 * 1024 * 1024;

/** The events of a stream, until it ends. Throws if nothing comes for too long, or the signal's reason. */
export async function* eventsOf(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<SentEvent, void, undefined> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await withinQuiet(reader.read());
      signal.throwIfAborted();
      if (done) return;
      text += decoder.decode(value, { stream: true });
      if (text.length > EVENT_LENGTH_MAX) throw new Error("an event is too long");
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = eventOf(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    // Where the reader of the events has enough, the program is to hear of it.
    void reader.cancel().catch(() => {});
  }
}

async function withinQuiet<T>(read: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const quiet = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${QUIET_MS / 1000} s`)), QUIET_MS);
  });
  try {
    return await Promise.race([read, quiet]);
  } finally {
    clearTimeout(timer);
  }
}

/** What an event `problem` says: the program cannot go on. Undefined for other events. */
export function problemIn({ name, data }: SentEvent): string | undefined {
  if (name !== "problem") return undefined;
  try {
    const { detail } = JSON.parse(data) as { readonly detail?: unknown };
    if (typeof detail === "string") return detail;
  } catch {
    // What is no JSON is as little of a reason as JSON without one.
  }
  return "the stream ended with a problem";
}

/** The event that a block of lines tells of; undefined for comments. */
export function eventOf(block: string): SentEvent | undefined {
  let name = "message";
  const data: string[] = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0) continue;
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    else if (field === "data") data.push(value);
  }
  return data.length === 0 ? undefined : { name, data: data.join("\n") };
}
