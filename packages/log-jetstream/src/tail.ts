/**
 * Applies what comes in a stream, for as long as another directory writes it: with one consumer that lasts. Nothing is asked of the stream while
 * nothing comes.
 */
import { asMeridianError, type MeridianError } from "@meridian/protocol";

import type { FollowedMessages, LogStream } from "./log-stream.ts";
import type { Replay } from "./replay.ts";

/** So many messages may wait for the disk of this directory before the next is read. */
const WAITING_MAX = 256;

/** Follows a stream from where a replay stands. */
export class Tail {
  readonly #replay: Replay;
  readonly #messages: FollowedMessages;
  readonly #ended: Promise<void>;
  #failure: MeridianError | undefined;
  #isOver = false;

  constructor(stream: Pick<LogStream, "follow">, replay: Replay) {
    this.#replay = replay;
    this.#messages = stream.follow(replay.readThrough);
    this.#ended = this.#run();
  }

  /** Why it has ended by itself; undefined while it goes on. */
  get failure(): MeridianError | undefined {
    return this.#failure;
  }

  /** Resolves when everything that was read is durable. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.#messages.stop();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const waiting = new Set<Promise<void>>();
    try {
      for await (const message of this.#messages) {
        if (this.#isOver) break;
        const applied = this.#replay.apply([message]);
        waiting.add(applied);
        applied.then(
          () => waiting.delete(applied),
          (cause: unknown) => {
            this.#failure ??= asMeridianError(cause);
            this.#messages.stop();
          },
        );
        if (waiting.size >= WAITING_MAX) await Promise.race(waiting);
      }
    } catch (cause) {
      this.#failure ??= asMeridianError(cause);
    }
    await Promise.allSettled(waiting);
  }
}
