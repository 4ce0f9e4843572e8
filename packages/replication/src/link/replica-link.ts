/**
 * Keeps a node connected to its directory: dials, greets, keeps the lease alive, notices silence, and comes
 * back by itself after any break, with jittered exponential back-off.
 */
import type { Dial, Link, LinkEvents } from "@meridian/ports";
import {
  closeCodeOf,
  decodeDirectoryMessage,
  encodeMessage,
  errorOfCloseCode,
  MeridianError,
  type DirectoryMessage,
  type ErrorCode,
  type Follow,
  type Hello,
  type NodeMessage,
  type Welcome,
} from "@meridian/protocol";
import { Backoff, type Clock, type Deadlines, type Logger, type Random } from "@meridian/runtime";

import type { ReplicaLimits } from "../limits.ts";
import { checkWelcome, type Greeting } from "./directory-claims.ts";
import type { DirectoryChoice } from "./directory-choice.ts";

/** What a link tells its owner. */
export interface ReplicaLinkEvents {
  /** The introduction, made anew for each link. */
  hello(): Hello | Follow;
  /** `askedAtMs` is when the hello was sent, by this machine's clock. */
  onWelcome(link: Link, welcome: Welcome, askedAtMs: number): void;
  onMessage(message: Exclude<DirectoryMessage, Welcome>): void;
  onFrame(bytes: Uint8Array): void;
  /** It is time for a sign of life. */
  heartbeat(): NodeMessage;
  onDrain(): void;
  /** The link is gone. Called once for each `onWelcome`. */
  onDown(): void;
  /** The directory says that this database is an older copy of one that went on. */
  onIncarnationReused(): void;
}

/** What an operator may ask of a link. */
export interface LinkFacts {
  /** Why the directory refused the node when it last tried, if only the operator can do something about it. */
  readonly refusal: MeridianError | undefined;
  /** Bytes that have not left this process. */
  readonly bufferedBytes: number;
}

export interface ReplicaLinkOptions {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly deadlines: Deadlines;
  readonly limits: ReplicaLimits;
  /** Who is dialled, where there are several. */
  readonly choice?: DirectoryChoice;
  readonly events: ReplicaLinkEvents;
}

/** Why a directory refuses a peer for good: the operator has to do something. */
const FATAL_CODES: ReadonlySet<string> = new Set([
  "WRONG_CLUSTER",
  "UNSUPPORTED_VERSION",
  "NODE_ID_TAKEN",
  "SAME_LOG",
]);

/** Why there is no sense in dialling the same directory again at once. */
const LEAVING_CODES: ReadonlySet<string> = new Set([
  ...FATAL_CODES,
  "GOING_AWAY",
  "LEASE_EXPIRED",
  "DIRECTORY_SYNCING",
  "STORE_FULL",
]);

export class ReplicaLink implements LinkFacts {
  readonly #options: ReplicaLinkOptions;
  readonly #backoff: Backoff;
  /** The link in use; what an older one still says is not listened to. */
  #link: Link | undefined;
  #opened = false;
  #welcomed = false;
  /** The last attempt was refused at once: nothing listens there. */
  #isRefused = false;
  /** No link has opened since it was said that the directory does not answer. */
  #isUnanswered = false;
  #heardAtMs = 0;
  /** What the directory was told when the link was opened. */
  #greeting: Greeting | undefined;
  #askedAtMs = 0;
  #leaseMs = 0;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;
  #refusal: MeridianError | undefined;

  constructor(options: ReplicaLinkOptions) {
    const { random, limits } = options;
    this.#options = options;
    this.#backoff = new Backoff({
      random,
      firstMs: limits.backoffFirstMs,
      maxMs: limits.backoffMaxMs,
    });
  }

  /** Whether the directory has taken the node in. */
  get up(): boolean {
    return this.#welcomed;
  }

  /** Whether nothing listens where the directory was last dialled. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  get refusal(): MeridianError | undefined {
    return this.#refusal;
  }

  get bufferedBytes(): number {
    return this.#link?.bufferedBytes ?? 0;
  }

  start(): void {
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
    const link = this.#link;
    if (this.#welcomed) this.send({ type: "goodbye", nowMs: this.#options.clock.nowMs() });
    this.#down();
    link?.close(1000, "The node is shutting down");
  }

  send(message: NodeMessage): void {
    if (this.#welcomed) this.#link?.send(encodeMessage(message));
  }

  /** Leaves this directory for the one that has been chosen instead. */
  move(): void {
    const link = this.#link;
    if (this.#welcomed) this.send({ type: "goodbye", nowMs: this.#options.clock.nowMs() });
    this.#down();
    link?.close(1000, "The node goes to another directory");
    this.#connect();
  }

  /** Gives the link up and connects again. */
  reset(error: MeridianError): void {
    const link = this.#link;
    if (link === undefined) return;
    const { code, message } = error;
    if (this.#opened) {
      this.#options.logger.warn("link to the directory given up", { code, why: message });
    } else {
      this.#sayUnanswered(code, message);
    }
    const wasUp = this.#welcomed;
    this.#down();
    link.close(closeCodeOf(code), message);
    this.#reconnect(wasUp, code);
  }

  #connect(): void {
    const { dial, limits, deadlines, choice } = this.#options;
    const events: LinkEvents = {
      onOpen: () => {
        if (this.#link !== link) return;
        this.#opened = true;
        this.#isRefused = false;
        this.#isUnanswered = false;
        this.#greet(link);
      },
      onMessage: (message) => {
        if (this.#link === link) this.#onMessage(link, message);
      },
      onDrain: () => {
        if (this.#link === link) this.#options.events.onDrain();
      },
      onClose: (code, reason) => {
        if (this.#link === link) this.#onClose(code, reason);
      },
    };
    const link = dial(events, choice?.current ?? 0);
    this.#link = link;
    const connectMs = choice?.hasOthers === true ? limits.connectBesideMs : limits.connectMs;
    this.#cancelTimer = deadlines.after(connectMs, () => {
      this.reset(new MeridianError("DIRECTORY_UNREACHABLE", "Expected a welcome, got none"));
    });
  }

  #greet(link: Link): void {
    this.#askedAtMs = this.#options.clock.nowMs();
    this.#greeting = this.#options.events.hello();
    link.send(encodeMessage(this.#greeting));
  }

  #onMessage(link: Link, message: string | Uint8Array): void {
    this.#heardAtMs = this.#options.clock.elapsedMs();
    try {
      if (typeof message !== "string") {
        if (this.#welcomed) this.#options.events.onFrame(message);
        return;
      }
      const decoded = decodeDirectoryMessage(message);
      if (decoded.type === "welcome") this.#onWelcome(link, decoded);
      else if (this.#welcomed) this.#hear(decoded);
    } catch (error) {
      if (!(error instanceof MeridianError)) throw error;
      this.reset(error);
    }
  }

  #hear(message: Exclude<DirectoryMessage, Welcome>): void {
    // Only a link that has proved to last makes the next break start from the shortest delay.
    if (message.type === "echo") this.#backoff.reset();
    this.#options.events.onMessage(message);
  }

  #onWelcome(link: Link, welcome: Welcome): void {
    if (this.#welcomed || this.#greeting === undefined) return;
    checkWelcome(welcome, this.#greeting);
    this.#cancelTimer?.();
    this.#refusal = undefined;
    this.#welcomed = true;
    this.#leaseMs = welcome.leaseMs;
    this.#options.choice?.onUp();
    this.#options.events.onWelcome(link, welcome, this.#askedAtMs);
    this.#beat(link, welcome.heartbeatMs);
  }

  #beat(link: Link, heartbeatMs: number): void {
    if (this.#link !== link) return;
    const silentMs = this.#options.clock.elapsedMs() - this.#heardAtMs;
    if (silentMs > this.#leaseMs) {
      const said = `Expected a message within ${this.#leaseMs} ms, got none`;
      return this.reset(new MeridianError("LEASE_EXPIRED", said));
    }
    link.send(encodeMessage(this.#options.events.heartbeat()));
    this.#cancelTimer = this.#options.deadlines.after(heartbeatMs, () =>
      this.#beat(link, heartbeatMs),
    );
  }

  #onClose(closeCode: number, reason: string): void {
    const code = errorOfCloseCode(closeCode);
    this.#isRefused = !this.#opened;
    const fields = { code: code ?? String(closeCode), why: reason };
    if (code !== undefined && FATAL_CODES.has(code)) {
      this.#refusal = new MeridianError(code, reason);
      this.#options.logger.error("the directory refuses this node", fields);
    } else if (this.#opened) {
      this.#options.logger.info("link to the directory closed", fields);
    } else {
      this.#sayUnanswered(fields.code, reason);
    }
    const wasUp = this.#welcomed;
    this.#down();
    if (code === "INCARNATION_REUSED") this.#options.events.onIncarnationReused();
    this.#reconnect(wasUp, code);
  }

  /** A link could not even be opened. Once is news, as where the directory starts later than its nodes. */
  #sayUnanswered(code: string, why: string): void {
    const { logger } = this.#options;
    if (this.#isUnanswered) logger.debug("the directory still does not answer", { code, why });
    else logger.info("the directory does not answer; trying again", { code, why });
    this.#isUnanswered = true;
  }

  #down(): void {
    this.#cancelTimer?.();
    this.#link = undefined;
    this.#opened = false;
    const wasUp = this.#welcomed;
    this.#welcomed = false;
    if (wasUp) this.#options.events.onDown();
  }

  #reconnect(wasUp: boolean, code: ErrorCode | undefined): void {
    if (this.#stopped) return;
    const { choice, limits, random, deadlines } = this.#options;
    const isLinkOnly = wasUp && (code === undefined || !LEAVING_CODES.has(code));
    const mayRetry = isLinkOnly || code === "INCARNATION_REUSED";
    const isRound = choice?.onDown(wasUp, mayRetry) ?? true;
    // Those who were cut off by one event are not to come to the next directory at one moment.
    const delayMs = isRound ? this.#backoff.nextMs() : random.next() * limits.backoffFirstMs;
    this.#cancelTimer = deadlines.after(delayMs, () => this.#connect());
  }
}
