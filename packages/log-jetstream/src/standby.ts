/**
 * A directory beside the one that writes: it follows the stream, and passes links of nodes on to the writer, so that it can serve nodes itself.
 */
import type { LogFrame } from "@meridian/protocol";
import type { Clock, Logger, Random } from "@meridian/runtime";
import { randomIdentity } from "@meridian/runtime";
import type { SqliteDirectoryLog } from "@meridian/store";

import type { LogState } from "./log-state.ts";
import type { LogStream } from "./log-stream.ts";
import { RelayClient } from "./relay-client.ts";
import type { Replay } from "./replay.ts";
import { Tail } from "./tail.ts";

/** What a directory can serve nodes with while another one writes the log. */
export interface FollowedLog<State extends LogState = SqliteDirectoryLog> {
  /** What is made from the stream. It must not be written. */
  readonly state: State;
  /** The way to the directory that writes. Its owner starts it. */
  readonly uplink: RelayClient;
}

/** Who serves nodes meanwhile. */
export interface StandbyServer {
  /** The last sequence that has come from the stream. */
  readonly head: number;
  /** A frame has come from the stream. */
  onFrame(frame: LogFrame): void;
  /**
   * The following is over. This directory writes the log from here on if `isWriter`: its nodes are then to stay until they can go on with it.
   * Otherwise the state is closed once this has resolved.
   */
  end(isWriter: boolean): Promise<void>;
}

/** How a standby is made. */
export interface StandbyOptions<State extends LogState> {
  readonly stream: LogStream;
  readonly state: State;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  /** Begins to serve nodes. Without it, nobody is served. */
  readonly serve: ((log: FollowedLog<State>) => Promise<StandbyServer>) | undefined;
}

/** Follows the stream while another directory writes it. */
export class Standby<State extends LogState> {
  readonly #options: StandbyOptions<State>;
  #tail: Tail | undefined;
  #server: StandbyServer | undefined;
  #uplink: RelayClient | undefined;

  constructor(options: StandbyOptions<State>) {
    this.#options = options;
  }

  /** Whether nodes are served. */
  get isServing(): boolean {
    return this.#server !== undefined;
  }

  onFrame(frame: LogFrame): void {
    this.#server?.onFrame(frame);
  }

  /** A directory writes the log in that epoch; 0 for one that takes no links. Throws why the stream cannot be followed. */
  async follow(replay: Replay, epoch: number): Promise<void> {
    const failure = this.#tail?.failure;
    if (failure !== undefined) {
      await this.pause();
      throw failure;
    }
    // Who serves is there before the first message comes, so it misses none.
    if (epoch !== 0) await this.#serve();
    this.#tail ??= new Tail(this.#options.stream, replay);
    if (epoch !== 0) this.#uplink?.writerIs(epoch);
  }

  /** The directory that wrote the log says that it does so no more. */
  lose(): void {
    this.#uplink?.writerIsGone();
  }

  async #serve(): Promise<void> {
    const { stream, state, clock, logger, random, serve } = this.#options;
    const { relays } = stream;
    if (this.#server !== undefined || serve === undefined || relays === undefined) return;
    const id = randomIdentity(random);
    const committedThrough = (): number => this.#server?.head ?? state.committedThrough;
    this.#uplink = new RelayClient({ wire: relays, id, clock, logger, committedThrough });
    this.#server = await serve({ state, uplink: this.#uplink });
  }

  /** Follows no more for now. Resolves when everything that was read is durable. */
  async pause(): Promise<void> {
    const tail = this.#tail;
    this.#tail = undefined;
    await tail?.stop();
  }

  /** Follows no more. */
  async end(isWriter: boolean): Promise<void> {
    await this.pause();
    const server = this.#server;
    this.#server = undefined;
    await server?.end(isWriter);
    this.#uplink?.stop();
  }
}
