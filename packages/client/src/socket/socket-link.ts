/**
 * One WebSocket to one node, for many requests at a time: each has an id, and its own time limits. Requests of one turn of the event loop
 * leave in one write.
 *
 * The link shows the token that is due with each request: where that is another one than before, an `auth` goes ahead of the request. A node that is silent
 * while a request waits gets no other over this link: a new one shows whether the network has lost the connection.
 */
import {
  BINARY_SOCKET_PROTOCOL,
  encodeBinaryRequest,
  readBinaryMessage,
  SOCKET_PATH,
} from "@meridian/protocol/binary-socket-api";

import { AnswerWatch, Heard } from "../answer-watch.ts";
import type { Network, RawAnswer } from "../exchange.ts";
import { LetGo, NoAnswer, type Patience } from "../no-answer.ts";
import type { SocketMessage } from "../run.ts";
import { answerOfMessage } from "./socket-answer.ts";
import type { Dial, Wire, WireEnd } from "./wire.ts";

/** How a link is made. */
export interface SocketLinkOptions {
  readonly network: Pick<Network, "clock" | "deadlines" | "ownLag">;
  readonly dial: Dial;
  /** The URL of the node. */
  readonly node: string;
  readonly onOpen: () => void;
  /** The link has ended, or was never open. Called once. */
  readonly onEnd: (end: WireEnd) => void;
}

interface Pending {
  readonly keys: readonly string[];
  readonly watch: AnswerWatch;
  readonly resolve: (answer: RawAnswer) => void;
  readonly reject: (cause: unknown) => void;
}

/** What is shown for a session: the position to reach, and how long to wait for it. */
export interface Presented {
  readonly position?: string;
  readonly waitMs?: number;
}

/** Ids go round: the one after the last is the first again. */
const ID_MAX = 0x7f_ff_ff_ff;

/** A link over which nothing has come for so long is not trusted until it answers a ping, in milliseconds: the network may have forgotten it. */
const FRESH_MS = 10_000;

/** The close code of a node that stops, and has answered all requests that it had begun. */
const GOING_AWAY = 1001;

const NO_KEYS: readonly string[] = [];

/** A connection. */
export class SocketLink {
  readonly #options: SocketLinkOptions;
  readonly #wire: Wire;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #position = "";
  #token: string | undefined;
  readonly #heard: Heard;
  #pingedAtMs = -Infinity;
  #isOpen = false;
  #isRetired = false;

  constructor(options: SocketLinkOptions) {
    this.#options = options;
    this.#heard = new Heard(options.network);
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
    this.#wire.hold(isHeld || this.#pending.size > 0);
  }

  /** Whether something has come lately. If nothing has, the node is asked for a sign of life; if it gives none, the link is retired. */
  get isFresh(): boolean {
    const nowMs = this.#options.network.clock.elapsedMs();
    const { atMs } = this.#heard;
    if (nowMs - atMs < FRESH_MS) return true;
    if (this.#pingedAtMs < atMs) {
      this.#pingedAtMs = nowMs;
      this.#wire.send(encodeBinaryRequest({ type: "ping", id: this.#nextId() }));
    } else if (nowMs - this.#pingedAtMs >= FRESH_MS) this.retire();
    return false;
  }

  /** Shows a token from now on. */
  show(token: string): void {
    if (token === this.#token) return;
    this.#token = token;
    // If the node does not accept it, it ends the connection.
    this.#wire.send(encodeBinaryRequest({ type: "auth", id: this.#nextId(), token }));
  }

  /** Asks. Rejects with `NoAnswer`, `LetGo`, the signal's reason, or `RangeError` for a request that is too long for a message. */
  ask(message: SocketMessage, session: Presented, patience: Patience): Promise<RawAnswer> {
    return new Promise((resolve, reject) => {
      patience.signal?.throwIfAborted();
      const id = this.#nextId();
      const request = { ...message, ...session, id };
      const bytes = encodeBinaryRequest(request as Parameters<typeof encodeBinaryRequest>[0]);
      const end = (cause: unknown): void => {
        if (cause instanceof NoAnswer && cause.kind === "silent") this.retire();
        this.#settle(id)?.reject(cause);
      };
      // Answers may wait for others before them: a node that gives any is not silent.
      const watch = new AnswerWatch(this.#options.network, patience, end, this.#heard);
      const keys = "keys" in message ? message.keys : NO_KEYS;
      if (this.#pending.size === 0) this.#wire.hold(true);
      this.#pending.set(id, { keys, watch, resolve, reject });
      this.#wire.send(bytes);
    });
  }

  /** Takes no more requests, and closes the connection once none is under way. */
  retire(): void {
    this.#isRetired = true;
    if (this.#pending.size === 0) this.close();
  }

  /** Closes the connection. */
  close(): void {
    this.#isRetired = true;
    this.#wire.close();
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 0 : this.#lastId + 1;
    while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    if (pending === undefined) return undefined;
    this.#pending.delete(id);
    pending.watch.stop();
    if (this.#pending.size > 0) return pending;
    this.#wire.hold(false);
    if (this.#isRetired) this.#wire.close();
    return pending;
  }

  #take(bytes: Uint8Array): void {
    this.#heard.now();
    try {
      const message = readBinaryMessage(bytes);
      if (message.position !== undefined) this.#position = message.position;
      if (message.kind !== "result" && message.kind !== "error") return;
      const { id } = message;
      if (id === null || !this.#pending.has(id)) return;
      const { keys = NO_KEYS } = this.#pending.get(id) ?? {};
      const answer = answerOfMessage(message, keys, this.#position);
      this.#settle(id)?.resolve(answer);
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
    this.#options.onEnd(end);
  }
}
