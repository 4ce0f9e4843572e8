/** Reads the server-sent events of a node. */
import { MeridianError } from "@meridian/protocol";

import { eitherOf } from "./either-of.ts";
import type { Network } from "./exchange.ts";
import { orAborted } from "./or-aborted.ts";
import { errorOf } from "./problem.ts";

/** Which stream to read. */
export interface StreamRequest {
  /** The URL of the node. */
  readonly node: string;
  /** Path and query. */
  readonly path: string;
  /** The id behind which to go on. */
  readonly token: string | undefined;
  /** The stream is taken for dead after so long without a byte, in milliseconds. */
  readonly quietMs: number;
}

/** What a stream sends: an id, or an event that has a name and data. */
export interface Sent {
  readonly id: string | undefined;
  readonly name: string | undefined;
  readonly data: string;
}

/** Events that are no longer are parsed; a longer one is nobody's. */
const EVENT_LENGTH_MAX = 512 * 1024 * 1024;

/** The events of one stream, until it ends. Throws the error of the node, of the network, or the signal's reason. */
export async function* eventsOf(
  network: Network,
  { node, path, token, quietMs }: StreamRequest,
  signal: AbortSignal,
): AsyncGenerator<Sent, void, undefined> {
  const controller = new AbortController();
  const either = eitherOf(controller.signal, signal);
  let cancel = (): void => {};
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  const rearm = (): void => {
    cancel();
    const said = `nothing within ${quietMs} ms`;
    cancel = network.deadlines.after(quietMs, () => controller.abort(new Error(said)));
  };
  try {
    rearm();
    const init = {
      headers: token === undefined ? {} : { "last-event-id": token },
      signal: either.signal,
      redirect: "error",
      cache: "no-store",
      credentials: "omit",
    } as const;
    const answer = await orAborted(network.fetch(node + path, init), either.signal);
    const { status, headers } = answer;
    if (status !== 200) {
      const body = new Uint8Array(await answer.arrayBuffer());
      throw errorOf({ status, headers, body }, node) ?? odd(node);
    }
    reader = answer.body?.getReader();
    if (reader === undefined) throw odd(node);
    const decoder = new TextDecoder();
    let text = "";
    for (;;) {
      const { done, value } = await orAborted(reader.read(), either.signal);
      if (done) return;
      rearm();
      text += decoder.decode(value, { stream: true });
      if (text.length > EVENT_LENGTH_MAX) throw odd(node);
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const sent = sentOf(block);
        if (sent !== undefined) yield sent;
      }
    }
  } finally {
    cancel();
    // Ends the request where the caller has enough. The `fetch` of Node.js 20 may have forgotten its signal by now, and would keep the
    // connection, and with it the process: so the body is cancelled, too.
    controller.abort();
    if (reader !== undefined) void cancelled(reader);
    either.release();
  }
}

async function cancelled(reader: ReadableStreamDefaultReader): Promise<void> {
  try {
    await reader.cancel();
  } catch {
    // The stream has failed already.
  }
}

/** What a block of lines says; undefined for comments and what is not for this client. */
function sentOf(block: string): Sent | undefined {
  const fields = new Map<string, string>();
  for (const line of block.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  const [id, name] = [fields.get("id"), fields.get("event")];
  if (id === undefined && name === undefined) return undefined;
  return { id, name, data: fields.get("data") ?? "{}" };
}

function odd(url: string): MeridianError {
  const said = `Expected a stream of events from ${url}, got another answer`;
  return new MeridianError("INTERNAL", said);
}
