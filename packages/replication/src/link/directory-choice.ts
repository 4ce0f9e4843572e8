/**
 * Which of several directories a node is to be at: the first, in the order of preference, that takes it in.
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

/** The answer of a directory to a probe. */
export type Standing = Extract<DirectoryMessage, { type: "standing" }>;

/** Chooses which of several directories to dial, and when to go back to a better one. */
export class DirectoryChoice {
  readonly #context: NodeContext;
  /** The place in the log of the directory that the node is at. */
  readonly #position: Pick<LogPosition, "place">;
  #current = 0;
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

  constructor(context: NodeContext, position: Pick<LogPosition, "place">) {
    this.#context = context;
    this.#position = position;
    this.#goodMs = context.limits.returnMs;
  }

  /** The directory to dial: its place in the order, from 0. */
  get current(): number {
    return this.#current;
  }

  /** Whether there is another directory to turn to. */
  get hasOthers(): boolean {
    return this.#context.directories > 1;
  }

  /** The current directory has taken the node in. */
  onUp(): void {
    this.#failed = 0;
    this.#isRetrying = false;
    this.#goodSinceMs = [];
    if (this.#current > 0) this.#probeLater();
  }

  /**
   * The link is down or could not be made. Chooses who is dialled next, and returns whether all have been tried since
   * one was up. `mayRetry`: the same directory may well take the node in, if it is dialled again.
   */
  onDown(wasUp: boolean, mayRetry: boolean): boolean {
    const { directories } = this.#context;
    this.#stopProbing();
    this.#noteReturn();
    if (directories === 1) return true;
    if (mayRetry && !this.#isRetrying) {
      this.#isRetrying = true;
      return false;
    }
    if (wasUp || this.#isRetrying) {
      this.#isRetrying = false;
      this.#failed = 1;
      this.#current = this.#current === 0 ? 1 : 0;
      return false;
    }
    this.#failed += 1;
    this.#current = (this.#current + 1) % directories;
    return this.#failed % directories === 0;
  }

  stop(): void {
    this.#stopProbing();
  }

  /** A node that has gone back and is away again soon waits longer before it does so again. */
  #noteReturn(): void {
    const { clock, limits } = this.#context;
    const last = this.#return;
    if (last === undefined || last.directory !== this.#current) return;
    this.#return = undefined;
    const isSettled = clock.elapsedMs() - last.atMs > limits.returnSettledMs;
    this.#goodMs = isSettled ? limits.returnMs : Math.min(this.#goodMs * 2, limits.returnMaxMs);
  }

  #probeLater(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = this.#context.deadlines.after(this.#probeInMs(), () => {
      for (let directory = 0; directory < this.#current; directory += 1) this.#probe(directory);
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

  #stopProbing(): void {
    this.#cancelProbe?.();
    this.#cancelProbe = undefined;
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
    const link = dial(
      {
        onOpen: () => {
          const nowMs = clock.nowMs();
          link.send(encodeMessage({ type: "probe", ...capabilities(), cluster, nowMs }));
        },
        onMessage: (message) => {
          const standing = this.#probes.has(link) ? standingOf(message) : undefined;
          if (standing === undefined) return;
          hasAnswered = true;
          this.#endProbe(link);
          this.#onStanding(directory, standing);
        },
        onPart: () => {},
        onDrain: () => {},
        onClose: () => {
          this.#probes.get(link)?.();
          this.#probes.delete(link);
          if (!hasAnswered) this.#goodSinceMs[directory] = undefined;
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

  #onStanding(directory: number, standing: Standing): void {
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
    this.#current = directory;
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
