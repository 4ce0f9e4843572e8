/**
 * Keeps a node connected to its directory: it dials, greets, keeps the lease alive, notices silence, and dials again after any break, with jittered
 * exponential back-off.
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

import type { Emitter } from "../events.ts";
import type { ReplicaLimits } from "../limits.ts";
import { checkWelcome, type Greeting } from "./directory-claims.ts";
import type { DirectoryChoice } from "./directory-choice.ts";
import type { IsForParty } from "./link-messages.ts";

/** What a `ReplicaLink` tells its owner, and asks of it. */
export interface ReplicaLinkEvents<Message extends DirectoryMessage> {
  /** Asks for the introduction, which is made anew for each link. */
  greeting(): Hello | Follow;
  /** Asks for a sign of life. */
  heartbeat(): NodeMessage;
  /** The directory has taken the node in. `askedAtMs` is when the greeting was sent, by this machine's clock. */
  welcomed(link: Link, welcome: Welcome, askedAtMs: number): void;
  told(message: Message): void;
  frameCame(bytes: Uint8Array): void;
  /** A part of a large message has come. Whatever else the directory has said is behind it. */
  partCame(): void;
  /** The link is gone. Emitted once for each `welcomed`. */
  down(): void;
  /** Everything that was sent has left this process. A party that sends only answers does not need it. */
  drained?(): void;
  /** The directory says that this database is an older copy of one that went on. Missing where the peer has no outbox. */
  incarnationReused?(): void;
}

/** What an operator may ask of a link. */
export interface LinkFacts {
  /** Why the directory refused the node when it last tried, if only the operator can do something about it. */
  readonly refusal: MeridianError | undefined;
  /** Bytes that have not left this process. */
  readonly bufferedBytes: number;
}

/** What a link is made with. */
export interface LinkContext<Message extends DirectoryMessage> {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly deadlines: Deadlines;
  readonly limits: ReplicaLimits;
  readonly events: Emitter<ReplicaLinkEvents<Message>>;
}

/** Codes with which a directory refuses a peer until the operator has done something. */
const FATAL_CODES: ReadonlySet<string> = new Set([
  "WRONG_CLUSTER",
  "UNSUPPORTED_VERSION",
  "NODE_ID_TAKEN",
  "SAME_LOG",
]);

/** Codes after which dialling the same directory again at once is useless. */
const LEAVING_CODES: ReadonlySet<string> = new Set([
  ...FATAL_CODES,
  "GOING_AWAY",
  "LEASE_EXPIRED",
  "DIRECTORY_SYNCING",
  "STORE_FULL",
]);

/** Keeps one link to a directory open, for a node or for a directory that follows. */
export class ReplicaLink<Message extends DirectoryMessage> implements LinkFacts {
  readonly #context: LinkContext<Message>;
  readonly #isForParty: IsForParty<Message>;
  /** Chooses the directory to dial if there are several. */
  readonly #choice: DirectoryChoice | undefined;
  readonly #backoff: Backoff;
  /** The link in use. Events of older links are ignored. */
  #link: Link | undefined;
  #opened = false;
  #welcomed = false;
  /** The last attempt was refused at once: nothing listens there. */
  #isRefused = false;
  /** Whether no link has opened since the log said that the directory does not answer. */
  #isUnanswered = false;
  #heardAtMs = 0;
  /** What the directory was told when the link was opened. */
  #greeting: Greeting | undefined;
  #askedAtMs = 0;
  #leaseMs = 0;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;
  #refusal: MeridianError | undefined;

  constructor(
    context: LinkContext<Message>,
    isForParty: IsForParty<Message>,
    choice?: DirectoryChoice,
  ) {
    const { random, limits } = context;
    this.#context = context;
    this.#isForParty = isForParty;
    this.#choice = choice;
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
    if (this.#welcomed) this.send({ type: "goodbye", nowMs: this.#context.clock.nowMs() });
    this.#down();
    link?.close(1000, "The node is shutting down");
  }

  send(message: NodeMessage): void {
    if (this.#welcomed) this.#link?.send(encodeMessage(message));
  }

  /** Leaves this directory for the one that has been chosen instead. */
  move(): void {
    const link = this.#link;
    if (this.#welcomed) this.send({ type: "goodbye", nowMs: this.#context.clock.nowMs() });
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
      this.#context.logger.warn("link to the directory given up", { code, why: message });
    } else {
      this.#sayUnanswered(code, message);
    }
    const wasUp = this.#welcomed;
    this.#down();
    link.close(closeCodeOf(code), message);
    this.#reconnect(wasUp, code);
  }

  #connect(): void {
    const { dial, limits, deadlines } = this.#context;
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
      onPart: () => {
        if (this.#link === link && this.#welcomed) this.#onPart();
      },
      onDrain: () => {
        if (this.#link === link) this.#context.events.emit.drained?.();
      },
      onClose: (code, reason) => {
        if (this.#link === link) this.#onClose(code, reason);
      },
    };
    const link = dial(events, this.#choice?.current ?? 0);
    this.#link = link;
    const connectMs = this.#choice?.hasOthers === true ? limits.connectBesideMs : limits.connectMs;
    this.#cancelTimer = deadlines.after(connectMs, () => {
      this.reset(new MeridianError("DIRECTORY_UNREACHABLE", "Expected a welcome, got none"));
    });
  }

  #greet(link: Link): void {
    this.#askedAtMs = this.#context.clock.nowMs();
    this.#greeting = this.#context.events.emit.greeting();
    link.send(encodeMessage(this.#greeting));
  }

  #onMessage(link: Link, message: string | Uint8Array): void {
    this.#heardAtMs = this.#context.clock.elapsedMs();
    try {
      if (typeof message !== "string") {
        if (this.#welcomed) this.#context.events.emit.frameCame(message);
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

  #onPart(): void {
    this.#heardAtMs = this.#context.clock.elapsedMs();
    this.#context.events.emit.partCame();
  }

  #hear(message: Exclude<DirectoryMessage, Welcome>): void {
    // Only after a link that has lasted does the next break start from the shortest delay.
    if (message.type === "echo") this.#backoff.reset();
    if (this.#isForParty(message)) this.#context.events.emit.told(message);
  }

  #onWelcome(link: Link, welcome: Welcome): void {
    if (this.#welcomed || this.#greeting === undefined) return;
    checkWelcome(welcome, this.#greeting);
    this.#cancelTimer?.();
    this.#refusal = undefined;
    this.#welcomed = true;
    this.#leaseMs = welcome.leaseMs;
    this.#choice?.onUp(welcome.shared === true);
    this.#context.events.emit.welcomed(link, welcome, this.#askedAtMs);
    this.#beat(link, welcome.heartbeatMs, this.#context.clock.elapsedMs());
  }

  #beat(link: Link, heartbeatMs: number, dueAtMs: number): void {
    if (this.#link !== link) return;
    const nowMs = this.#context.clock.elapsedMs();
    // A node that was itself at a standstill could not hear the directory.
    const lateMs = nowMs - dueAtMs;
    if (lateMs > heartbeatMs) this.#heardAtMs += lateMs;
    const silentMs = nowMs - this.#heardAtMs;
    if (silentMs > this.#leaseMs) {
      const said = `Expected a message within ${this.#leaseMs} ms, got none`;
      return this.reset(new MeridianError("LEASE_EXPIRED", said));
    }
    link.send(encodeMessage(this.#context.events.emit.heartbeat()));
    this.#cancelTimer = this.#context.deadlines.after(heartbeatMs, () =>
      this.#beat(link, heartbeatMs, nowMs + heartbeatMs),
    );
  }

  #onClose(closeCode: number, reason: string): void {
    const code = errorOfCloseCode(closeCode);
    this.#isRefused = !this.#opened;
    const fields = { code: code ?? String(closeCode), why: reason };
    if (code !== undefined && FATAL_CODES.has(code)) {
      this.#refusal = new MeridianError(code, reason);
      this.#context.logger.error("the directory refuses this node", fields);
    } else if (this.#opened) {
      this.#context.logger.info("link to the directory closed", fields);
    } else {
      this.#sayUnanswered(fields.code, reason);
    }
    const wasUp = this.#welcomed;
    this.#down();
    if (code === "INCARNATION_REUSED") this.#context.events.emit.incarnationReused?.();
    this.#reconnect(wasUp, code);
  }

  /** A link could not be opened. The log says so once: a directory may start later than its nodes. */
  #sayUnanswered(code: string, why: string): void {
    const { logger } = this.#context;
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
    if (wasUp) this.#context.events.emit.down();
  }

  #reconnect(wasUp: boolean, code: ErrorCode | undefined): void {
    if (this.#stopped) return;
    const { limits, random, deadlines } = this.#context;
    const isLinkOnly = wasUp && (code === undefined || !LEAVING_CODES.has(code));
    const mayRetry = isLinkOnly || code === "INCARNATION_REUSED";
    const isRound = this.#choice?.onDown(wasUp, mayRetry) ?? true;
    // Nodes that one event has cut off must not all dial the next directory at the same moment.
    const delayMs = isRound ? this.#backoff.nextMs() : random.next() * limits.backoffFirstMs;
    this.#cancelTimer = deadlines.after(delayMs, () => this.#connect());
  }
}
