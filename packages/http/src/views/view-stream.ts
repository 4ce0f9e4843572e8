/**
 * A stream of events of a node, handed on to a client as it comes. It is begun once the client's own stream is open, so a client that has
 * gone leaves nothing behind; why it cannot be begun, or goes no further, is told by an event `problem`, after which the stream ends.
 */
import type { ClientRequest, IncomingMessage } from "node:http";

import { asMeridianError, MeridianError, toProblem } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import { eventText, type EventStream } from "../event-streams.ts";
import { begin, DEADLINE_MS, unreachable, type ProgramRequest } from "./program-request.ts";

/** How long a node may say nothing, in milliseconds: it sends a comment every 15 s. */
const SILENCE_MS = 45_000;

/** How much a node may say within a span of time, in bytes and milliseconds. */
const SPAN_BYTES_MAX = 4 * 1024 * 1024;
const SPAN_MS = 10_000;

const NOTE = /^(?::|retry: |id: )[^\n]*$/;
const EVENT = /^(?:id: [^\n]*\n)?event: ([a-z]{1,20})\ndata: ([^\n]*)$/;

/** Hands on what a node tells. */
export class ViewStream {
  readonly #asked: ProgramRequest;
  readonly #stream: Pick<EventStream, "send" | "end" | "isOpen">;
  readonly #clock: Clock;
  readonly #eventUnitsMax: number;
  /** Undefined where nothing was asked. */
  readonly #sent: ClientRequest | undefined;
  readonly #decoder = new TextDecoder();
  #response: IncomingMessage | undefined;
  #text = "";
  #spanBytes = 0;
  #spanFromMs: number;
  #isOver = false;
  #cancel: () => void = () => {};

  /** One event may be `eventUnitsMax` characters long. */
  constructor(
    asked: ProgramRequest,
    stream: Pick<EventStream, "send" | "end" | "isOpen">,
    { clock, eventUnitsMax }: { readonly clock: Clock; readonly eventUnitsMax: number },
  ) {
    this.#asked = asked;
    this.#stream = stream;
    this.#clock = clock;
    this.#eventUnitsMax = eventUnitsMax;
    this.#spanFromMs = clock.elapsedMs();
    try {
      this.#sent = begin(asked);
    } catch (cause) {
      this.#fail(asMeridianError(cause));
      return;
    }
    this.#cancel = this.#silentAfter(DEADLINE_MS);
    this.#sent.on("error", (cause) => this.#fail(unreachable(asked, cause)));
    this.#sent.on("response", (response) => this.#begin(response));
  }

  /** Reads on, once the client has read. */
  goOn(): void {
    this.#response?.resume();
  }

  /** Asks no more. */
  close(): void {
    this.#isOver = true;
    this.#cancel();
    this.#sent?.destroy();
  }

  #begin(response: IncomingMessage): void {
    const { statusCode, headers } = response;
    if (statusCode !== 200 || headers["content-type"] !== "text/event-stream") {
      return this.#fail(invalid(this.#asked, `HTTP ${statusCode}`));
    }
    this.#response = response;
    response.on("data", (chunk: Uint8Array) => this.#take(chunk));
    response.on("error", () => {});
    response.on("close", () => this.#fail(unreachable(this.#asked, "the stream has ended")));
  }

  #take(chunk: Uint8Array): void {
    this.#cancel();
    this.#cancel = this.#silentAfter(SILENCE_MS);
    try {
      this.#count(chunk.byteLength);
      this.#text += this.#decoder.decode(chunk, { stream: true });
      const blocks = this.#text.split("\n\n");
      this.#text = blocks.pop() ?? "";
      const events = blocks.map((block) => eventIn(this.#asked, block)).join("");
      if (this.#text.length > this.#eventUnitsMax) throw invalid(this.#asked, "a longer event");
      if (events !== "") this.#stream.send(events);
    } catch (cause) {
      return this.#fail(asMeridianError(cause));
    }
    if (!this.#stream.isOpen) this.#response?.pause();
  }

  #count(bytes: number): void {
    const nowMs = this.#clock.elapsedMs();
    if (nowMs - this.#spanFromMs > SPAN_MS) {
      this.#spanFromMs = nowMs;
      this.#spanBytes = 0;
    }
    this.#spanBytes += bytes;
    if (this.#spanBytes > SPAN_BYTES_MAX) throw invalid(this.#asked, "more than is handed on");
  }

  #silentAfter(delayMs: number): () => void {
    return this.#clock.after(delayMs, () => {
      // A node whose client reads nothing is not read either.
      if (this.#response?.isPaused() === true) this.#cancel = this.#silentAfter(SILENCE_MS);
      else this.#fail(unreachable(this.#asked, "it says nothing"));
    });
  }

  #fail(error: MeridianError): void {
    if (this.#isOver) return;
    this.close();
    this.#stream.send(eventText("problem", JSON.stringify(toProblem(error))));
    this.#stream.end();
  }
}

/** An event as it goes on; nothing for a comment, or a line that only notes an id. Throws for what no program of Meridian sends. */
function eventIn(asked: ProgramRequest, block: string): string {
  if (NOTE.test(block)) return "";
  const [, name, data] = EVENT.exec(block) ?? [];
  if (name === undefined || data === undefined || !isJson(data)) {
    throw invalid(asked, "something else");
  }
  return eventText(name, data);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function invalid({ who }: ProgramRequest, got: string): MeridianError {
  return new MeridianError("NODE_ANSWER_INVALID", `Expected ${who} to tell of events, got ${got}`);
}
