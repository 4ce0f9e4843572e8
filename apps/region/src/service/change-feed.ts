/**
 * Tells observers and subscribers which keys change on this node.
 *
 * An observer lives in this process and gets each entry when it comes. A subscriber reads the last changes from a ring at its own pace.
 * The ring holds keys without values, so a subscriber reads the value of a key itself. All subscribers share one ring, which is bounded
 * in changes and bytes: a slow subscriber costs no memory of its own, and delays nobody. A subscriber that falls behind the ring, or
 * comes back with a token of another run of the program, is told once that it has missed changes, and has to read anew.
 *
 * The ring stays empty until there is a subscriber, and is emptied some time after the last one has left: who comes back soon has missed nothing.
 */
import { MeridianError, type Entry, type Stamp } from "@meridian/protocol";
import {
  randomIdentity,
  type Clock,
  type Logger,
  type Metrics,
  type Random,
} from "@meridian/runtime";

/** A key whose entry has changed. */
export interface Change {
  /** One more than that of the change before it. */
  readonly sequence: number;
  readonly key: string;
  readonly stamp: Stamp;
  /** In milliseconds since the Unix epoch; 0 for never. */
  readonly expiresAtMs: number;
  readonly deleted: boolean;
  /** Whether it was written here, or has come from elsewhere. */
  readonly isNew: boolean;
  /** When it came to this node, by this machine's clock, in milliseconds since the Unix epoch. */
  readonly atMs: number;
}

/** Hears of entries when they come. Must not throw. */
export interface ChangeObserver {
  /** Entries that may be news; `isNew` says that all of them were written here just now, and are durable. */
  changed(entries: readonly Entry[], isNew: boolean): void;
  /** Entries whose stamps in the store have become lower. */
  restamped(entries: readonly Entry[]): void;
}

/** How a feed is made. */
export interface ChangeFeedOptions {
  readonly random: Random;
  readonly clock: Pick<Clock, "after" | "nowMs">;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Changes that are kept, at most. Default: 65 536. */
  readonly changesMax?: number;
  /** The memory that they may take, in bytes, estimated. Default: 16 MiB. */
  readonly bytesMax?: number;
  /** Default: 10 000. */
  readonly subscribersMax?: number;
}

/** The changes that one `read` of a subscriber returns. */
export interface News {
  /** Whether changes before `changes` were missed: then the subscriber has to read anew everything that matters to it. */
  readonly hasMissed: boolean;
  readonly changes: readonly Change[];
}

/** The same for a reader that keeps its place itself. */
export interface NewsAfter extends News {
  /** The sequence of the last change that was in the ring at the time of the read. */
  readonly through: number;
}

/** A subscriber's place in a feed. */
export interface Subscription {
  /** The token of the place after the last change that was read. Another subscription goes on there with it. */
  readonly token: string;
  /** The next changes, at most `limit` of them; none once everything has been read. */
  read(limit: number): News;
  /** Ends the subscription: `onNews` is not called any more. */
  close(): void;
}

/** About how many bytes a change takes in memory beside its key. */
const CHANGE_BYTES = 176;

/** For how long changes are kept that nobody subscribes to, in milliseconds. */
const KEPT_MS = 60_000;

/** How many changes are searched in one turn for changes of one key. */
const SEARCHED_MAX = 8_192;

/** How many subscribers are told of news in one turn. */
const WOKEN_PER_TURN = 64;

interface Place {
  readonly run: number;
  readonly sequence: number;
}

interface Subscriber {
  /** The last sequence that has been read; below 0 for a place that this run does not know. */
  through: number;
  /** Whether it has read everything and waits for news. */
  isWaiting: boolean;
  readonly onNews: () => void;
}

/** Tells of changes. */
export class ChangeFeed {
  /** Identifies this run of the program, in which the sequences count. */
  readonly #run: number;
  readonly #clock: Pick<Clock, "after" | "nowMs">;
  readonly #logger: Logger;
  readonly #changesMax: number;
  readonly #bytesMax: number;
  readonly #subscribersMax: number;
  readonly #observers: ChangeObserver[] = [];
  readonly #subscribers = new Set<Subscriber>();
  /** The change with sequence `s` stands at index `s % changesMax`. */
  #ring: (Change | undefined)[] = [];
  /** Invariant: the changes of sequences above `#before`, up to `#head`, are in the ring. */
  #before = 0;
  #head = 0;
  #bytes = 0;
  #isKeeping = false;
  /** Set while there is no subscriber, and the ring is to be emptied. */
  #cancelEmptying: (() => void) | undefined;
  /** The round in which subscribers are told, and the head when it began. */
  #round: { readonly left: Iterator<Subscriber>; readonly head: number } | undefined;

  constructor(options: ChangeFeedOptions) {
    this.#run = randomIdentity(options.random);
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#changesMax = options.changesMax ?? 65_536;
    this.#bytesMax = options.bytesMax ?? 16 * 1024 * 1024;
    this.#subscribersMax = options.subscribersMax ?? 10_000;
    options.metrics.level(() => [
      { name: "changes", now: this.#head - this.#before, max: this.#changesMax },
      { name: "changeBytes", now: this.#bytes, max: this.#bytesMax },
      { name: "changeSubscribers", now: this.#subscribers.size, max: this.#subscribersMax },
    ]);
  }

  /** Calls `observer` with every change from now on. */
  observe(observer: ChangeObserver): void {
    this.#observers.push(observer);
  }

  /** Entries may be news; `isNew` as observers are told it. */
  changed(entries: readonly Entry[], isNew: boolean): void {
    for (const observer of this.#observers) observer.changed(entries, isNew);
    this.#keep(entries, isNew);
  }

  /** An entry has expired: a reader of the change sees that the key has no live entry. Observers judge expiry themselves. */
  expired(entry: Entry): void {
    this.#keep([entry], false);
  }

  /** Entries have got lower stamps. */
  restamped(entries: readonly Entry[]): void {
    for (const observer of this.#observers) observer.restamped(entries);
    this.#keep(entries, false);
  }

  /**
   * Begins after the place of `token`; without a token, with the changes from now on. `onNews` is called when there is something to read after
   * everything has been read, in a turn of its own. Throws `INVALID_ARGUMENT` for what is no token, and `OVERLOADED` if there are too many
   * subscribers.
   */
  subscribe(onNews: () => void, token?: string): Subscription {
    const from = token === undefined ? undefined : parseToken(token);
    const [now, max] = [this.#subscribers.size + 1, this.#subscribersMax];
    if (now > max) {
      const said = `Expected at most ${max} subscribers, got ${now}`;
      throw new MeridianError("OVERLOADED", said, { details: { now, max } });
    }
    this.#begin();
    const subscriber = { through: this.#placeOf(from), isWaiting: false, onNews };
    this.#subscribers.add(subscriber);
    const tokenAt = (sequence: number): string => this.tokenAt(sequence);
    return {
      get token() {
        const isUnknown = token !== undefined && subscriber.through < 0;
        return isUnknown ? token : tokenAt(subscriber.through);
      },
      read: (limit) => this.#read(subscriber, limit),
      close: () => this.#leave(subscriber),
    };
  }

  /** The sequence of a token; -1 for one that this run does not know, such as that of a later change. Throws `INVALID_ARGUMENT` for what is no token. */
  placeOf(token: string): number {
    return this.#placeOf(parseToken(token));
  }

  /** The token of the place behind a sequence. */
  tokenAt(sequence: number): string {
    return `c1.${this.#run}.${sequence}`;
  }

  /** The sequence of the last change. */
  get head(): number {
    return this.#head;
  }

  /** The changes behind a sequence, at most `limit` of them. */
  after(sequence: number, limit: number): NewsAfter {
    const hasMissed = sequence < this.#before;
    const from = hasMissed ? this.#head : sequence;
    const through = Math.min(this.#head, from + limit);
    const changes: Change[] = [];
    for (let next = from + 1; next <= through; next += 1) changes.push(this.#at(next));
    return { hasMissed, changes, through };
  }

  /**
   * The changes of a key among the last 8 192, the newest first; undefined if none have been kept until now. The call makes the feed keep changes
   * from now on, as a subscriber that leaves at once would.
   */
  lastOf(key: string, limit: number): readonly Change[] | undefined {
    const wasKeeping = this.#isKeeping;
    this.#begin();
    if (this.#subscribers.size === 0) this.#emptyLater();
    if (!wasKeeping) return undefined;
    const changes: Change[] = [];
    const end = Math.max(this.#before, this.#head - SEARCHED_MAX);
    for (let at = this.#head; at > end && changes.length < limit; at -= 1) {
      const change = this.#at(at);
      if (change.key === key) changes.push(change);
    }
    return changes;
  }

  #begin(): void {
    this.#cancelEmptying?.();
    this.#cancelEmptying = undefined;
    if (this.#isKeeping) return;
    this.#isKeeping = true;
    this.#ring = Array.from({ length: this.#changesMax }, () => undefined);
  }

  #leave(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber) || this.#subscribers.size > 0) return;
    this.#emptyLater();
  }

  #emptyLater(): void {
    this.#cancelEmptying = this.#clock.after(KEPT_MS, () => {
      this.#cancelEmptying = undefined;
      this.#isKeeping = false;
      this.#ring = [];
      this.#before = this.#head;
      this.#bytes = 0;
    });
  }

  #placeOf(from: Place | undefined): number {
    if (from === undefined) return this.#head;
    return from.run === this.#run && from.sequence <= this.#head ? from.sequence : -1;
  }

  #read(subscriber: Subscriber, limit: number): News {
    const { hasMissed, changes, through } = this.after(subscriber.through, limit);
    subscriber.through = through;
    subscriber.isWaiting = through === this.#head;
    return { hasMissed, changes };
  }

  #keep(entries: readonly Entry[], isNew: boolean): void {
    if (!this.#isKeeping) {
      this.#head += entries.length;
      this.#before = this.#head;
      return;
    }
    const atMs = this.#clock.nowMs();
    for (const { key, stamp, expiresAtMs, deleted } of entries) {
      if (this.#head - this.#before === this.#changesMax) this.#drop();
      this.#head += 1;
      const change = { sequence: this.#head, key, stamp, expiresAtMs, deleted, isNew, atMs };
      this.#ring[this.#head % this.#changesMax] = change;
      this.#bytes += bytesOf(change);
      while (this.#bytes > this.#bytesMax) this.#drop();
    }
    if (this.#round === undefined && this.#subscribers.size > 0) this.#beginRound();
  }

  #drop(): void {
    this.#before += 1;
    this.#bytes -= bytesOf(this.#at(this.#before));
    this.#ring[this.#before % this.#changesMax] = undefined;
  }

  #at(sequence: number): Change {
    const change = this.#ring[sequence % this.#changesMax];
    if (change?.sequence === sequence) return change;
    throw new MeridianError("INTERNAL", `Expected change ${sequence} to be kept`);
  }

  #beginRound(): void {
    this.#round = { left: this.#subscribers.values(), head: this.#head };
    setImmediate(() => this.#wake());
  }

  /** Tells some of the waiting subscribers, and the rest in later turns, because each of them takes time to handle the news. */
  #wake(): void {
    if (this.#round === undefined) return;
    const { left, head } = this.#round;
    for (let told = 0; told < WOKEN_PER_TURN;) {
      const { done, value: subscriber } = left.next();
      if (done === true) {
        this.#round = undefined;
        // Subscribers that were skipped may have read everything that there was when the round began.
        if (head !== this.#head) this.#beginRound();
        return;
      }
      if (!subscriber.isWaiting || subscriber.through === this.#head) continue;
      subscriber.isWaiting = false;
      told += 1;
      this.#tell(subscriber);
    }
    setImmediate(() => this.#wake());
  }

  #tell(subscriber: Subscriber): void {
    try {
      subscriber.onNews();
    } catch (cause) {
      // A subscriber that throws must neither keep the others waiting nor end the program.
      this.#leave(subscriber);
      this.#logger.error("a subscriber failed at the news of a change", { error: String(cause) });
    }
  }
}

function bytesOf({ key }: Change): number {
  return CHANGE_BYTES + 2 * key.length;
}

function parseToken(token: string): Place {
  const [, run, sequence] = /^c1\.(\d{1,15})\.(\d{1,15})$/.exec(token) ?? [];
  if (run !== undefined && sequence !== undefined) {
    return { run: Number(run), sequence: Number(sequence) };
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected the token of a place among changes, got \`${token.slice(0, 100)}\``,
  );
}
