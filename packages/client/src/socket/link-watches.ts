/**
 * What is watched over one WebSocket. All share it with requests, so what a caller does not take waits here, and not in the network. Once too much
 * waits, the watch ends behind it: the caller who has taken it watches again from there, and the node then tells what it still has, or to read anew.
 */
import type { BinaryChange, BinaryMessage } from "@meridian/protocol/binary-socket-api";

import type { Heard } from "../answer-watch.ts";
import type { Network } from "../exchange.ts";
import { followAbort } from "../follow-abort.ts";
import type { Told, ToldChange, WatchQuestion } from "../told.ts";

/** What watches need of their link. */
export interface LinkWatchesOptions {
  readonly network: Pick<Network, "clock" | "deadlines">;
  /** When something came last. */
  readonly heard: Heard;
  /** Asks the node for a sign of life. */
  readonly ping: () => void;
  readonly unwatch: (id: number) => void;
  /** The node has been silent for too long. */
  readonly onSilence: () => void;
  /** `isHeld` may have changed. */
  readonly onChange: () => void;
}

/** A watch that the node has begun. */
export interface OpenWatch {
  readonly id: number;
  readonly question: WatchQuestion;
  readonly signal: AbortSignal | undefined;
  readonly askedAtMs: number;
  readonly token: string | undefined;
}

/** How much may wait for a caller, in bytes: of values, and about so many beside each. */
const WAITING_BYTES = 1024 * 1024;
const TOLD_BYTES = 256;

/** The watches of a link. */
export class LinkWatches {
  readonly #options: LinkWatchesOptions;
  readonly #open = new Map<number, LinkWatch>();
  /** Watches that were given up before the node had answered. */
  readonly #abandoned = new Set<number>();
  #cancel: (() => void) | undefined;
  #isDoubted = false;

  constructor(options: LinkWatchesOptions) {
    this.#options = options;
  }

  /** Whether an id is that of a watch. */
  has(id: number): boolean {
    return this.#open.has(id) || this.#abandoned.has(id);
  }

  /** Whether the process is kept alive for what is watched. */
  get isHeld(): boolean {
    for (const { isHeld } of this.#open.values()) if (isHeld) return true;
    return false;
  }

  /** A node has begun to tell. Returns what it tells. */
  open({ id, question, signal, askedAtMs, token }: OpenWatch): AsyncGenerator<Told, void> {
    const watch = new LinkWatch(question);
    this.#open.set(id, watch);
    this.#options.onChange();
    this.#cancel?.();
    this.#cancel = this.#look();
    watch.push({ kind: "open", token, askedAtMs });
    const release = followAbort(signal, () => {
      this.#leave(id);
      watch.end(signal?.reason, true);
    });
    return watch.told(() => {
      release();
      this.#leave(id);
    });
  }

  /** A watch is given up before the node has answered. */
  abandon(id: number): void {
    this.#abandoned.add(id);
  }

  /** Takes a message that answers no request that waits. */
  take(message: Exclude<BinaryMessage, { readonly kind: "error" }>, position: string): void {
    const { id } = message;
    if (message.kind === "result") {
      if (this.#abandoned.delete(id)) this.#options.unwatch(id);
      return;
    }
    const watch = this.#open.get(id);
    if (watch === undefined) return;
    for (const told of toldOf(message, position)) watch.push(told);
    if (!watch.isFull) return;
    this.#leave(id);
    watch.end();
  }

  /** The node has ended a watch. */
  fail(id: number, cause: unknown): void {
    this.#abandoned.delete(id);
    const watch = this.#open.get(id);
    this.#forget(id);
    watch?.end(cause);
  }

  /** The link has ended. */
  end(cause: unknown): void {
    for (const id of [...this.#open.keys(), ...this.#abandoned]) this.fail(id, cause);
  }

  #leave(id: number): void {
    if (this.#open.has(id)) this.#options.unwatch(id);
    this.#forget(id);
  }

  #forget(id: number): void {
    if (!this.#open.delete(id)) return;
    this.#options.onChange();
    if (this.#open.size > 0) return;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** Looks again and again whether anything has come of late. */
  #look(afterMs?: number): () => void {
    const quietMs = Math.min(...[...this.#open.values()].map((watch) => watch.quietMs));
    const { clock, deadlines } = this.#options.network;
    return deadlines.after(afterMs ?? quietMs / 4, () => {
      const silentMs = clock.elapsedMs() - this.#options.heard.atMs;
      const wasDoubted = this.#isDoubted;
      this.#isDoubted = silentMs >= quietMs;
      if (this.#isDoubted && wasDoubted) return this.#options.onSilence();
      if (silentMs >= quietMs / 2) this.#options.ping();
      // What has come while this process was busy is read before the next timer runs.
      this.#cancel = this.#look(this.#isDoubted ? 1 : undefined);
    });
  }
}

/** The news of one watch that its caller has not taken yet. */
class LinkWatch {
  readonly quietMs: number;
  readonly isHeld: boolean;
  readonly #waiting: Told[] = [];
  #bytes = 0;
  #isOver = false;
  #cause: unknown;
  #wake: () => void = () => {};

  constructor({ quietMs, isHeld }: WatchQuestion) {
    this.quietMs = quietMs;
    this.isHeld = isHeld;
  }

  get isFull(): boolean {
    return this.#bytes > WAITING_BYTES;
  }

  push(told: Told): void {
    this.#waiting.push(told);
    this.#bytes += bytesOf(told);
    this.#wake();
  }

  /** Nothing more will be told; what waits is dropped, or told before `cause` is thrown. */
  end(cause?: unknown, drops = false): void {
    if (drops) this.#waiting.length = 0;
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cause = cause;
    this.#wake();
  }

  async *told(leave: () => void): AsyncGenerator<Told, void, undefined> {
    try {
      for (;;) {
        for (let next; (next = this.#waiting.shift()) !== undefined;) {
          this.#bytes -= bytesOf(next);
          yield next;
        }
        if (this.#cause !== undefined) throw this.#cause;
        if (this.#isOver) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      leave();
    }
  }
}

function bytesOf(told: Told): number {
  if (told.kind !== "change" || told.change.event !== "set") return TOLD_BYTES;
  return TOLD_BYTES + (told.change.entry.bytes?.length ?? 0);
}

function toldOf(
  message: Extract<BinaryMessage, { readonly resume: string }>,
  position: string,
): readonly Told[] {
  const { resume: token } = message;
  switch (message.kind) {
    case "reload":
      return [{ kind: "reload", token }];
    case "position": {
      const { elapsedMs, nowMs } = message;
      return [{ kind: "position", token, word: { position, elapsedMs, nowMs } }];
    }
    case "changes": {
      const last = message.changes.length - 1;
      return message.changes.map((change, at) => ({
        kind: "change",
        // A token stands for the place behind all of them.
        token: at === last ? token : undefined,
        change: changeOf(change),
      }));
    }
  }
}

function changeOf(change: BinaryChange): ToldChange {
  if (change.event !== "set") return change;
  const { event, key, etag, contentType, expiresAtMs, value } = change;
  // A copy, as the message may be a part of something large.
  return { event, key, entry: { etag, contentType, expiresAtMs, bytes: value?.slice() } };
}
