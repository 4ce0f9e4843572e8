/**
 * A directory that serves nodes beside the one that writes the log: see `ServedLink`. It orders nothing and decides nothing. Its log is made from the
 * stream by its owner, who says what comes; who is there it hears from the writer.
 */
import type { DirectoryLog, Link, LinkEvents, LogDoubt, Uplink } from "@meridian/ports";
import {
  closeCodeOf,
  decodeBlock,
  decodeDirectoryMessage,
  isReservedKey,
  MeridianError,
  type Entry,
  type LogFrame,
  type RegisteredMember,
  type RememberedMember,
} from "@meridian/protocol";
import { Deadlines, type Clock, type Logger, type Metrics } from "@meridian/runtime";

import { doubtText, type ConditionsInfo } from "../directory/conditions.ts";
import type { ClocksInfo } from "../directory/clocks-info.ts";
import type { DirectoryInfo } from "../directory/directory.ts";
import type { AbsentMember, MemberInfo } from "../directory/membership.ts";
import { DIRECTORY_LIMITS, type DirectoryLimits } from "../limits.ts";
import { SharedTurns } from "../shared-turns.ts";
import { AGAIN_CODE, ServedLink, type ServedLinkHost } from "./served-link.ts";
import { registerServing, type MeasuredServing } from "./serving-metrics.ts";
import { StreamFrames } from "./stream-frames.ts";

/** How a serving directory is made. */
export interface ServingDirectoryOptions {
  /** What is made from the stream. Nothing is written to it here, and only what may be forgotten is removed. */
  readonly log: DirectoryLog;
  readonly uplink: Uplink;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where the directory registers its numbers. */
  readonly metrics?: Metrics;
  readonly limits?: Partial<DirectoryLimits>;
  /** Called when the writer has told who is there. */
  readonly onMembers?: () => void;
  /** Called with entries from the stream some of which have reserved keys. */
  readonly onReserved?: (entries: readonly Entry[]) => void;
  /** Runs `callback` in the next turn of the event loop. */
  defer(callback: () => void): void;
}

/** How long nodes are kept while the log does not come, or no directory writes it: longer than another one needs to take over. */
const PATIENCE_MS = 20_000;

/** Who has been behind for so long is not ready. */
const BEHIND_MS = 1_000;

const WATCH_MS = 500;

/** How often the log is let forget. */
const PURGE_MS = 60_000;

/** Serves nodes from a log that another directory writes. */
export class ServingDirectory implements MeasuredServing {
  readonly #options: ServingDirectoryOptions;
  readonly #limits: DirectoryLimits;
  readonly #deadlines: Deadlines;
  readonly #frames: StreamFrames;
  readonly #host: ServedLinkHost;
  /** Invariant: those whose ends have not been closed. */
  readonly #links = new Set<ServedLink>();
  #members: ReadonlyMap<string, RegisteredMember> = new Map();
  #earlyFrames = 0;
  /** Whether all nodes of the cluster know the positions that name what came early: clients take these from one to the other. */
  #areAllEarly = false;
  /** What the writer has committed, as it said last. */
  #committed = 0;
  /** Since when this directory lacks something that the writer has committed; undefined while it lacks nothing. */
  #behindSinceMs: number | undefined;
  /** Since when no directory writes; undefined while one does. */
  #aloneSinceMs: number | undefined;
  #isStopped = false;

  constructor(options: ServingDirectoryOptions) {
    const { log, uplink, clock } = options;
    this.#options = options;
    this.#limits = { ...DIRECTORY_LIMITS, ...options.limits };
    this.#deadlines = new Deadlines(clock);
    this.#frames = new StreamFrames(log, this.#limits.recentBytesMax);
    this.#aloneSinceMs = clock.elapsedMs();
    const limits = this.#limits;
    const defer = (callback: () => void): void =>
      options.defer(() => void (this.#isStopped || callback()));
    this.#host = {
      log,
      frames: this.#frames,
      uplink,
      clock,
      limits,
      linkBytesMax: () =>
        Math.min(limits.linkBytesMax, limits.allLinksBytesMax / Math.max(1, this.#links.size)),
      sentBytes: () => [...this.#links].reduce((sum, { sentBytes }) => sum + sentBytes, 0),
      turns: new SharedTurns(defer, clock),
      takesEarly: (from) => this.#othersThanTake(from).length > 0,
      giveEarly: (from, bytes) => {
        this.#earlyFrames += 1;
        for (const link of this.#othersThanTake(from)) link.sendEarly(bytes);
      },
      onOver: (link) => this.#links.delete(link),
    };
    if (options.metrics !== undefined) registerServing(options.metrics, this, limits);
  }

  /** The sequence of the last entry that has come from the stream. */
  get head(): number {
    return this.#frames.head;
  }

  /** What the writer has committed, as it said last. */
  get committed(): number {
    return this.#committed;
  }

  /** Whether the writer answers. */
  get isUp(): boolean {
    return this.#options.uplink.isUp;
  }

  /** How many links there are. */
  get links(): number {
    return this.#links.size;
  }

  /** Frames of its nodes that it has given to their neighbours before they were ordered. */
  get earlyFrames(): number {
    return this.#earlyFrames;
  }

  get recentBytes(): number {
    return this.#frames.recentBytes;
  }

  get doubt(): LogDoubt | null {
    return this.#options.log.doubt;
  }

  /** The registered nodes of all directories, as the writer has told them. */
  get members(): readonly MemberInfo[] {
    const own = new Map([...this.#links].map((link) => [link.id, link]));
    return Array.from(this.#members.values(), (member) => memberInfo(member, own.get(member.id)));
  }

  /** The node of that id, if it has its link here. */
  linked(id: string): MemberInfo | undefined {
    const link = [...this.#links].find((each) => each.id === id);
    const member = link && this.#members.get(id);
    return member && memberInfo(member, link);
  }

  /** The nodes that were registered once, were not forgotten, and are not there. */
  get absent(): readonly AbsentMember[] {
    return this.#options.log.members
      .filter(({ id, generation }) => generation % 2 === 1 && !this.#members.has(id))
      .map(absentMember);
  }

  /**
   * Cluster time, as far as this directory knows it: that of its own clock, and confirmed is what it was when the writer has last set a mark of the
   * horizon. So what has expired is emptied later here, by an eighth of the horizon's distance at most.
   */
  get clocks(): { nowMs(): number; readonly confirmedNowMs: number | undefined } {
    const { clock, log } = this.#options;
    return { nowMs: () => clock.nowMs(), confirmedNowMs: log.horizonState.marks.at(-1)?.[0] };
  }

  #othersThanTake(from: ServedLink): readonly ServedLink[] {
    if (!this.#areAllEarly) return [];
    return [...this.#links].filter((link) => link !== from && link.takesEarly);
  }

  /** Whether the log has what the others of the cluster have: the writer answers, and has a node that is ready. */
  get isWhole(): boolean {
    if (this.notReady !== undefined) return false;
    return [...this.#members.values()].some(({ status }) => status === "ready");
  }

  /** Why nodes and clients are better off with another directory; undefined while all is well. */
  get notReady(): MeridianError | undefined {
    if (!this.#options.uplink.isUp) {
      return new MeridianError(
        "DIRECTORY_UNREACHABLE",
        "The directory that writes the log does not answer this one",
      );
    }
    if (!this.#isBehind(BEHIND_MS)) return undefined;
    const said = `Expected the log through ${this.#committed} from the stream, have it through ${this.head}`;
    return new MeridianError("DIRECTORY_SYNCING", said);
  }

  /** Bytes that have not left this process, of the link that has most. */
  get linkBytes(): number {
    return [...this.#links].reduce((most, each) => Math.max(most, each.bufferedBytes), 0);
  }

  start(): void {
    this.#watch();
    this.#purge();
  }

  /** Ends every link: at once, or so that the nodes connect again, here, if `again`. */
  stop(again: boolean = false): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#deadlines.clear();
    const why = "The directory is shutting down";
    for (const link of this.#links) {
      if (again) link.close(AGAIN_CODE, "The directory writes the log from here on");
      else link.close(closeCodeOf("GOING_AWAY"), why);
    }
  }

  /** Sends all nodes to other directories. */
  release(why: MeridianError): void {
    for (const link of this.#links) link.close(closeCodeOf(why.code), why.message);
  }

  /** Takes in a new link. `remoteAddress` is the node's address where it names none itself. */
  accept(link: Link, remoteAddress: string): LinkEvents {
    const served = new ServedLink(this.#host, link, remoteAddress);
    this.#links.add(served);
    const why = this.#isStopped ? "The directory is shutting down" : this.notReady?.message;
    if (why !== undefined) served.close(closeCodeOf("GOING_AWAY"), why);
    return served.events;
  }

  /** The next frame has come from the stream. */
  onFrame(frame: LogFrame): void {
    const { clock, onReserved } = this.#options;
    const ordered = this.#frames.take(frame, clock.nowMs());
    if (ordered === undefined) return;
    if (onReserved !== undefined) {
      const entries = decodeBlock(frame.block, frame.count);
      if (entries.some(({ key }) => isReservedKey(key))) onReserved(entries);
    }
    for (const link of this.#links) link.push(ordered);
    this.#measure();
  }

  /** The writer has committed the log through there. */
  onCommitted(through: number): void {
    this.#frames.confirm(through);
    this.#committed = Math.max(this.#committed, through);
    this.#measure();
  }

  /** The writer answers, or does so no more. Nodes that have waited for one greet it. */
  onUp(isUp: boolean): void {
    this.#aloneSinceMs = isUp ? undefined : this.#options.clock.elapsedMs();
    if (!isUp) return;
    this.#committed = 0;
    for (const link of this.#links) {
      if (link.isOrphan) link.close(AGAIN_CODE, "Another directory writes the log from here on");
    }
  }

  /** The writer has told who is there. Throws `MALFORMED_MESSAGE`. */
  onRegistry(text: string): void {
    const message = decodeDirectoryMessage(text);
    if (message.type !== "registry") return;
    this.#members = new Map(message.members.map((member) => [member.id, member]));
    this.#areAllEarly = message.early === true;
    this.#options.onMembers?.();
  }

  /** The directory in numbers, for an operator. Of what only the writer knows, nothing is told. */
  info(): DirectoryInfo {
    const { log } = this.#options;
    const { horizonState } = log;
    return {
      logId: log.logId,
      epoch: this.#options.uplink.epoch ?? log.epoch,
      head: this.head,
      committedThrough: this.#frames.committedThrough,
      horizon: horizonState.horizon,
      horizonFrozenUntilMs: horizonState.frozenUntilMs,
      recentBytes: this.#frames.recentBytes,
      connections: this.#links.size,
      members: this.#members.size,
      reconciling: null,
      reconcileWaiting: 0,
      syncing: this.notReady?.code === "DIRECTORY_SYNCING",
      stall: this.notReady?.message ?? null,
      peers: [],
      clocks: UNKNOWN_CLOCKS,
      conditions: this.#conditions,
    };
  }

  /** Whether the writer decides conditions, as far as is known here. */
  get #conditions(): ConditionsInfo {
    const why = doubtText(this.doubt) ?? (this.isUp ? undefined : this.notReady?.message);
    return {
      decides: why === undefined,
      why: why ?? null,
      doubtSinceMs: this.doubt?.sinceMs ?? null,
    };
  }

  #measure(): void {
    if (this.head >= this.#committed) this.#behindSinceMs = undefined;
    else this.#behindSinceMs ??= this.#options.clock.elapsedMs();
  }

  #isBehind(ms: number): boolean {
    const sinceMs = this.#behindSinceMs;
    return sinceMs !== undefined && this.#options.clock.elapsedMs() - sinceMs > ms;
  }

  /** Lets the log forget what the writer may forget, by the marks that the stream has: the newest stands for the time. */
  #purge(): void {
    const { log } = this.#options;
    const { horizon, marks } = log.horizonState;
    const nowMs = marks.at(-1)?.[0] ?? 0;
    const longAgoMs = nowMs - this.#limits.horizonMs;
    const through = marks.findLast(([atMs]) => atMs <= longAgoMs)?.[1] ?? 0;
    if (through > 0) log.purge(horizon, through);
    this.#deadlines.after(PURGE_MS, () => this.#purge());
  }

  /** Nodes that would wait here for too long go elsewhere. */
  #watch(): void {
    const { clock, logger } = this.#options;
    const aloneMs = clock.elapsedMs() - (this.#aloneSinceMs ?? Infinity);
    if (this.#links.size > 0 && (aloneMs > PATIENCE_MS || this.#isBehind(PATIENCE_MS))) {
      const why = new MeridianError("GOING_AWAY", this.notReady?.message ?? "");
      logger.warn("nodes are sent to other directories", { why: why.message });
      this.release(why);
    }
    this.#deadlines.after(WATCH_MS, () => this.#watch());
  }
}

const UNKNOWN_CLOCKS: ClocksInfo = {
  aheadMs: 0,
  agreeing: 0,
  members: 1,
  confirmed: false,
  deviant: [],
};

function absentMember(member: RememberedMember): AbsentMember {
  const { id, region, url, ip, port, lat, lon, seenAtMs } = member;
  return { id, region, url, ip, port, lat, lon, seenAtMs };
}

/** `link` is that of a node that is linked here. */
function memberInfo(member: RegisteredMember, link: ServedLink | undefined): MemberInfo {
  return {
    ...member,
    peer: link === undefined ? ELSEWHERE : null,
    appliedThrough: 0,
    bufferedBytes: link?.bufferedBytes ?? 0,
    unsent: link?.unsent ?? 0,
  };
}

/** Which of the other directories has the link of a node, nobody says here. */
const ELSEWHERE = "another directory of the stream";
