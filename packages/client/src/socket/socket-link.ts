/**
 * One WebSocket to one node, for many requests at a time: each has an id, and its own time limits. Requests of one turn of the event loop
 * leave in one write.
 *
 * The link shows the token that is due with each request: where that is another one than before, an `auth` goes ahead of the request. A node that is silent
 * while a request waits gets no other over this link: a new one shows whether the network has lost the connection. What is watched ends with it, and is
 * watched again over the new one.
 */
import {
  BINARY_SOCKET_PROTOCOL,
  encodeBinaryRequest,
  readBinaryMessage,
  SOCKET_PATH,
  type BinaryMessage,
  type BinaryRequest,
} from "@meridian/protocol/binary-socket-api";

import { AnswerWatch, Heard } from "../answer-watch.ts";
import type { Network, RawAnswer } from "../exchange.ts";
import { LetGo, NoAnswer, type Patience } from "../no-answer.ts";
import { errorOf } from "../problem.ts";
import type { SocketMessage } from "../run.ts";
import type { Told, WatchQuestion } from "../told.ts";
import { LinkWatches } from "./link-watches.ts";
import { answerOfMessage } from "./socket-answer.ts";
import type { Dial, Wire, WireEnd } from "./wire.ts";

/** How a link is made. */
export interface SocketLinkOptions {
  readonly network: Pick<Network, "clock" | "deadlines" | "ownLag">;
  readonly dial: Dial;
  /** The URL of the node. */
  readonly node: string;
  readonly onOpen: () => void;
  /** The node has told its time in the answer to what was sent at `sentAtMs` of the clock's `elapsedMs`. */
  readonly onTime?: (nowMs: number, sentAtMs: number) => void;
  /** The link has ended, or was never open. Called once. */
  readonly onEnd: (end: WireEnd) => void;
}

interface Pending {
  readonly keys: readonly string[];
  readonly watch: AnswerWatch;
  readonly resolve: (answer: RawAnswer) => void;
  readonly reject: (cause: unknown) => void;
}

/** What goes with a request: the position that its session has to reach and how long to wait for it, until when a write may be made, and what it is a part of. */
export interface Presented {
  readonly position?: string;
  readonly waitMs?: number;
  readonly deadlineMs?: number | undefined;
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** Ids go round: the one after the last is the first again. */
const ID_MAX = 0x7f_ff_ff_ff;

/** A link over which nothing has come for so long is not trusted until it answers a ping, in milliseconds: the network may have forgotten it. */
const FRESH_MS = 10_000;

/** How often the node is asked what time it is while it is sent writes, in milliseconds. */
const TIME_MS = 30_000;

/** The close code of a node that stops, and has answered all requests that it had begun. */
const GOING_AWAY = 1001;

const NO_KEYS: readonly string[] = [];

/** A connection. */
export class SocketLink {
  readonly #options: SocketLinkOptions;
  readonly #wire: Wire;
  readonly #pending = new Map<number, Pending>();
  readonly #watches: LinkWatches;
  #lastId = 0;
  #position = "";
  #token: string | undefined;
  readonly #heard: Heard;
  #pingedAtMs = -Infinity;
  /** The last question for the node's time. */
  #timeQuestion = { id: -1, sentAtMs: -Infinity };
  #isOpen = false;
  #isRetired = false;
  #isHeld = false;

  constructor(options: SocketLinkOptions) {
    this.#options = options;
    this.#heard = new Heard(options.network);
    this.#watches = new LinkWatches({
      network: options.network,
      heard: this.#heard,
      ping: () => void this.#tell({ type: "ping" }),
      unwatch: (watch) => void this.#tell({ type: "unwatch", watch }),
      onSilence: () => this.retire(),
      onChange: () => this.#hold(),
    });
    const url = options.node.replace(/^http/, "ws") + SOCKET_PATH;
    this.#wire = options.dial(url, BINARY_SOCKET_PROTOCOL, {
      opened: () => {
        this.#isOpen = true;
        this.#heard.now();
        options.onOpen();
      },
      message: (message) => this.#take(message),
      progress: () => this.#heard.now(),
      closed: (end) => this.#ended(end),
    });
  }

  /** Whether the node takes requests that say what they are a part of, as far as is known. */
  takesTraces = true;

  /** Whether the node takes writes that say until when they may be made, as far as is known. */
  takesDeadlines = true;

  /** Whether requests may be sent. */
  get isOpen(): boolean {
    return this.#isOpen && !this.#isRetired;
  }

  /** Whether no request will ever be sent any more. */
  get isOver(): boolean {
    return this.#isRetired;
  }

  /** While it is held, the connection keeps the process alive. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    this.#hold();
  }

  /** Whether something has come lately. If nothing has, the node is asked for a sign of life; if it gives none, the link is retired. */
  get isFresh(): boolean {
    const nowMs = this.#options.network.clock.elapsedMs();
    const { atMs } = this.#heard;
    if (nowMs - atMs < FRESH_MS) return true;
    if (this.#pingedAtMs < atMs) {
      this.#pingedAtMs = nowMs;
      this.#tell({ type: "ping" });
    } else if (nowMs - this.#pingedAtMs >= FRESH_MS) this.retire();
    return false;
  }

  /** Shows a token from now on. */
  show(token: string): void {
    if (token === this.#token) return;
    this.#token = token;
    // If the node does not accept it, it ends the connection.
    this.#tell({ type: "auth", token });
  }

  /** Asks. Rejects with `NoAnswer`, `LetGo`, the signal's reason, or `RangeError` for a request that is too long for a message. */
  ask(message: SocketMessage, session: Presented, patience: Patience): Promise<RawAnswer> {
    if (session.deadlineMs !== undefined) this.#askTime();
    return new Promise((resolve, reject) => {
      this.#send(this.#nextId(), { ...message, ...session }, patience, { resolve, reject });
    });
  }

  /** Watches. Resolves to what the node tells, once it begins to; rejects as `ask` does, and with the node's error. */
  watch(question: WatchQuestion, patience: Patience): Promise<AsyncGenerator<Told, void>> {
    const { key, prefix, values, positions, token: resume } = question;
    const askedAtMs = this.#options.network.clock.elapsedMs();
    return new Promise((resolve, reject) => {
      const id = this.#nextId();
      const take = (answer: RawAnswer): void => {
        const error = errorOf(answer, this.#options.node);
        if (error !== undefined) return reject(error);
        const { resume: token } = (answer.json ?? {}) as { readonly resume?: string };
        const { signal } = patience;
        return resolve(this.#watches.open({ id, question, signal, askedAtMs, token }));
      };
      const fail = (cause: unknown): void => {
        this.#watches.abandon(id);
        reject(cause);
      };
      const message = { type: "watch", key, prefix, values, positions, resume } as const;
      this.#send(id, message, patience, { resolve: take, reject: fail });
    });
  }

  /** Takes no more requests, ends what is watched, and closes the connection once no request is under way. */
  retire(): void {
    this.#isRetired = true;
    this.#watches.end(new NoAnswer("the connection is given up", "silent", true));
    if (this.#pending.size === 0) this.#wire.close();
  }

  /** Closes the connection. */
  close(): void {
    this.#isRetired = true;
    this.#watches.end(new NoAnswer("the connection is closed", "broken", true));
    this.#wire.close();
  }

  #send(
    id: number,
    message: SocketMessage & Presented,
    patience: Patience,
    { resolve, reject }: Pick<Pending, "resolve" | "reject">,
  ): void {
    patience.signal?.throwIfAborted();
    const bytes = encodeBinaryRequest({ ...message, id } as BinaryRequest);
    const end = (cause: unknown): void => {
      if (cause instanceof NoAnswer && cause.kind === "silent") this.retire();
      this.#settle(id)?.reject(cause);
    };
    // Answers may wait for others before them: a node that gives any is not silent.
    const watch = new AnswerWatch(this.#options.network, patience, end, this.#heard);
    const keys = "keys" in message ? message.keys : NO_KEYS;
    this.#pending.set(id, { keys, watch, resolve, reject });
    if (this.#pending.size === 1) this.#hold();
    this.#wire.send(bytes);
  }

  /** Sends what nobody waits for. Returns its id. */
  #tell(message: SocketMessage): number {
    const id = this.#nextId();
    this.#wire.send(encodeBinaryRequest({ ...message, id } as BinaryRequest));
    return id;
  }

  /** Asks what time it is at the node, unless it has been asked of late. */
  #askTime(): void {
    const nowMs = this.#options.network.clock.elapsedMs();
    if (nowMs - this.#timeQuestion.sentAtMs < TIME_MS) return;
    this.#timeQuestion = { id: this.#tell({ type: "ping" }), sentAtMs: nowMs };
  }

  #takeTime({ result }: Extract<BinaryMessage, { readonly kind: "result" }>): void {
    if (result.form !== "json") return;
    const { nowMs } = JSON.parse(result.json) as { readonly nowMs?: unknown };
    if (typeof nowMs === "number") this.#options.onTime?.(nowMs, this.#timeQuestion.sentAtMs);
  }

  #hold(): void {
    this.#wire.hold(this.#isHeld || this.#pending.size > 0 || this.#watches.isHeld);
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 0 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId) || this.#watches.has(this.#lastId));
    return this.#lastId;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    pending.watch.stop();
    if (this.#pending.size > 0) return pending;
    this.#hold();
    if (this.#isRetired) this.#wire.close();
    return pending;
  }

  #take(bytes: Uint8Array): void {
    this.#heard.now();
    try {
      const message = readBinaryMessage(bytes);
      if (message.position !== undefined) this.#position = message.position;
      const { id } = message;
      if (id === null) return;
      const pending = this.#pending.get(id);
      if (message.kind === "result" && id === this.#timeQuestion.id && pending === undefined) {
        return this.#takeTime(message);
      }
      if (message.kind !== "error" && (message.kind !== "result" || pending === undefined)) {
        return this.#watches.take(message, this.#position);
      }
      const answer = answerOfMessage(message, pending?.keys ?? NO_KEYS, this.#position);
      if (pending === undefined) this.#watches.fail(id, errorOf(answer, this.#options.node));
      else this.#settle(id)?.resolve(answer);
    } catch {
      // The node does not speak as it should. What waits ends with the connection.
      this.close();
    }
  }

  #ended(end: WireEnd): void {
    this.#isOpen = false;
    this.#isRetired = true;
    const { code, reason } = end;
    const mayHaveArrived = code !== GOING_AWAY;
    const cause =
      code === undefined
        ? new NoAnswer(reason, "broken", true)
        : new LetGo(`the node has closed the connection (${code} ${reason})`, mayHaveArrived);
    for (const id of this.#pending.keys()) this.#settle(id)?.reject(cause);
    this.#watches.end(cause);
    this.#options.onEnd(end);
  }
}
