/**
 * Which of several directories a node is to be at: the first, in the order of preference, that takes it in. Where they share a log, a node measures
 * now and then how long it takes to open a link to each, and one that is clearly nearer becomes the first (see `DirectoryOrder`).
 *
 * Where a link is lost, its directory is tried once more, in case only the link was; then the others in order. A node that is not at the first asks
 * the better ones every now and then, on links of their own, how they stand. It goes back to a directory that has answered well for a while. If the
 * link there is lost soon, that time doubles, so that nodes do not flap.
 */
import type { Link } from "@meridian/ports";
import {
  cursorIn,
  decodeDirectoryMessage,
  encodeMessage,
  MeridianError,
  capabilities,
  type DirectoryMessage,
} from "@meridian/protocol";

import type { LogPosition } from "../intake/log-position.ts";
import type { NodeContext } from "../node/node-context.ts";
import { DirectoryOrder } from "./directory-order.ts";

/** After so many surveys it is known how near the directories are, and they become rare. */
const FIRST_SURVEYS = 4;

/** The answer of a directory to a probe. */
export type Standing = Extract<DirectoryMessage, { type: "standing" }>;

/** Chooses which of several directories to dial, and when to go back to a better one. */
export class DirectoryChoice {
  readonly #context: NodeContext;
  /** The place in the log of the directory that the node is at. */
  readonly #position: Pick<LogPosition, "place">;
  readonly #order: DirectoryOrder;
  /** The rank of the directory that the node is at, or dials next. */
  #rank = 0;
  /** Whether the current directory is dialled once more before the others. */
  #isRetrying = false;
  /** How many attempts in a row have failed. */
  #failed = 0;
  /** For each better directory, since when it has answered well without a break; undefined while it does not. */
  #goodSinceMs: (number | undefined)[] = [];
  #goodMs: number;
  /** The directory that the node has gone back to, and when. Cleared once the link has lasted. */
  #return: { readonly directory: number; readonly atMs: number } | undefined;
  /** The unanswered probes, each with the function that ends it. */
  readonly #probes = new Map<Link, () => void>();
  #cancelProbe: (() => void) | undefined;
  /** Whether the log of the directory that the node is at is that of others, too; false while it is at none. */
  #isShared = false;
  /** How many surveys there were on this link. */
  #surveys = 0;
  #cancelSurvey: (() => void) | undefined;

  constructor(context: NodeContext, position: Pick<LogPosition, "place">) {
    this.#context = context;
    this.#position = position;
    this.#goodMs = context.limits.returnMs;
    this.#order = new DirectoryOrder(context.directories);
  }

  /** The directory to dial: its place in the order that the node was given, from 0. */
  get current(): number {
    return this.#order.at(this.#rank);
  }

  /** Whether there is another directory to turn to. */
  get hasOthers(): boolean {
    return this.#context.directories > 1;
  }

  /** There is one more directory, which comes last until it is known to be nearer. */
  add(): void {
    this.#context.directories += 1;
    this.#order.add();
    if (!this.#isShared) return;
    // It is to be known soon whether the new one is nearer.
    this.#surveys = 0;
    this.#surveyLater();
  }

  /** The current directory has taken the node in. `isShared`: its log is that of other directories, too. */
  onUp(isShared: boolean): void {
    this.#failed = 0;
    this.#isRetrying = false;
    this.#goodSinceMs = [];
    this.#surveys = 0;
    this.#isShared = isShared;
    if (this.#rank > 0) this.#probeLater();
    if (isShared && this.hasOthers) this.#surveyLater();
  }

  /**
   * The link is down or could not be made. Chooses who is dialled next, and returns whether all have been tried since
   * one was up. `mayRetry`: the same directory may well take the node in, if it is dialled again.
   */
  onDown(wasUp: boolean, mayRetry: boolean): boolean {
    const { directories } = this.#context;
    this.#stopProbing();
    this.#isShared = false;
    this.#noteReturn();
    if (directories === 1) return true;
    if (mayRetry && !this.#isRetrying) {
      this.#isRetrying = true;
      return false;
    }
    if (wasUp || this.#isRetrying) {
      this.#isRetrying = false;
      this.#failed = 1;
      this.#rank = this.#rank === 0 ? 1 : 0;
      return false;
    }
    this.#failed += 1;
    this.#rank = (this.#rank + 1) % directories;
    return this.#failed % directories === 0;
  }

  stop(): void {
    this.#isShared = false;
    this.#stopProbing();
  }

  /** A node that has gone back and is away again soon waits longer before it does so again. */
  #noteReturn(): void {
    const { clock, limits } = this.#context;
    const last = this.#return;
    if (last === undefined || last.directory !== this.current) return;
    this.#return = undefined;
    const isSettled = clock.elapsedMs() - last.atMs > limits.returnSettledMs;
    this.#goodMs = isSettled ? limits.returnMs : Math.min(this.#goodMs * 2, limits.returnMaxMs);
  }

  #probeLater(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = this.#context.deadlines.after(this.#probeInMs(), () => {
      for (let rank = 0; rank < this.#rank; rank += 1) this.#probe(this.#order.at(rank));
      this.#probeLater();
    });
  }

  /** The delay to the next probe: the usual one, or less if a directory will have answered well for long enough before that. */
  #probeInMs(): number {
    const { clock, limits } = this.#context;
    const nowMs = clock.elapsedMs();
    const left = this.#goodSinceMs.map((sinceMs) =>
      sinceMs === undefined ? Infinity : sinceMs + this.#goodMs - nowMs,
    );
    return Math.min(limits.probeMs, ...left.filter((ms) => ms > 0));
  }

  /** The next survey. The nodes of a directory that has just come do not all make theirs at once. */
  #surveyLater(): void {
    const { deadlines, limits, random } = this.#context;
    const everyMs = this.#surveys < FIRST_SURVEYS ? limits.surveyFirstMs : limits.surveyMs;
    this.#cancelSurvey?.();
    this.#cancelSurvey = deadlines.after(everyMs * (0.5 + random.next()), () => {
      this.#preferNearest();
      this.#surveys += 1;
      for (let each = 0; each < this.#context.directories; each += 1) this.#probe(each);
      this.#surveyLater();
    });
  }

  /** If another directory is clearly nearer, the node goes there as it goes back to a better one. */
  #preferNearest(): void {
    const { current } = this;
    const nearest = this.#order.preferNearest(current);
    if (nearest === undefined) return;
    this.#context.logger.info("another directory is nearer", { directory: nearest });
    this.#rank = this.#order.rankOf(current);
    this.#probeLater();
  }

  #stopProbing(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
    this.#cancelSurvey?.();
    this.#cancelSurvey = undefined;
    for (const link of this.#probes.keys()) this.#endProbe(link);
  }

  #endProbe(link: Link): void {
    this.#probes.get(link)?.();
    if (this.#probes.delete(link)) link.close(1000, "The probe is over");
  }

  #probe(directory: number): void {
    const { dial, clock, node, deadlines, limits } = this.#context;
    const { cluster } = node;
    let hasAnswered = false;
    const dialledAtMs = clock.elapsedMs();
    let openMs = Infinity;
    const link = dial(
      {
        onOpen: () => {
          openMs = clock.elapsedMs() - dialledAtMs;
          const nowMs = clock.nowMs();
          link.send(encodeMessage({ type: "probe", ...capabilities(), cluster, nowMs }));
        },
        onMessage: (message) => {
          const standing = this.#probes.has(link) ? standingOf(message) : undefined;
          if (standing === undefined) return;
          hasAnswered = true;
          this.#endProbe(link);
          this.#measure(directory, standing, openMs);
          this.#onStanding(directory, standing);
        },
        onPart: () => {},
        onDrain: () => {},
        onClose: () => {
          this.#probes.get(link)?.();
          this.#probes.delete(link);
          if (hasAnswered) return;
          this.#goodSinceMs[directory] = undefined;
          this.#order.forget(directory);
        },
      },
      directory,
    );
    // A directory that has not answered by then does not answer well. The next probe may be sent before that.
    this.#probes.set(
      link,
      deadlines.after(limits.probeMs, () => this.#endProbe(link)),
    );
  }

  #measure(directory: number, { ready, logId }: Standing, openMs: number): void {
    if (ready && logId === this.#position.place.logId) this.#order.measured(directory, openMs);
    else this.#order.forget(directory);
  }

  #onStanding(directory: number, standing: Standing): void {
    if (this.#order.rankOf(directory) >= this.#rank) return;
    const { clock, logger } = this.#context;
    const nowMs = clock.elapsedMs();
    if (!this.#isGood(standing)) {
      this.#goodSinceMs[directory] = undefined;
      return;
    }
    const sinceMs = (this.#goodSinceMs[directory] ??= nowMs);
    if (nowMs - sinceMs < this.#goodMs) return;
    logger.info("going back to a better directory", { directory });
    this.#stopProbing();
    this.#rank = this.#order.rankOf(directory);
    this.#return = { directory, atMs: nowMs };
    this.#failed = 0;
    this.#isRetrying = false;
    this.#context.events.emit.betterFound();
  }

  /** Whether the directory takes nodes in, and its log has all but the newest entries of this node's log. */
  #isGood({ ready, logId, head, followed }: Standing): boolean {
    const { place } = this.#position;
    // Directories over one stream have one log.
    const through = logId === place.logId ? head : cursorIn(followed, place)?.sequence;
    const { lagMax } = this.#context.limits;
    return ready && through !== undefined && through >= place.sequence - lagMax;
  }
}

function standingOf(message: string | Uint8Array): Standing | undefined {
  if (typeof message !== "string") return undefined;
  try {
    const decoded = decodeDirectoryMessage(message);
    return decoded.type === "standing" ? decoded : undefined;
  } catch (error) {
    if (error instanceof MeridianError) return undefined;
    throw error;
  }
}
