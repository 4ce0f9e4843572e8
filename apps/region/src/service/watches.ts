/**
 * Tells clients what becomes of the keys that they watch.
 *
 * Each change of the feed is handled once: an index finds the watchers of its key, and the store says what the key holds now, so no watcher is told
 * an entry that has lost against a newer one. A watcher that accepts nothing at the moment costs no memory: it keeps its place in the ring of the
 * feed, and reads on from there later. A client that comes back with the token of a place goes on in the same way. A watcher that has fallen behind
 * the ring, or comes from another node, is told once to read anew.
 *
 * In one turn of the event loop, a bounded number of changes is read, or of watchers told.
 */
import {
  compareStamps,
  isLive,
  isReservedKey,
  MeridianError,
  type Entry,
} from "@meridian/protocol";
import type { Clock, Logger, Metrics } from "@meridian/runtime";

import { etagOf } from "./cached-record.ts";
import type { Change, ChangeFeed, Subscription } from "./change-feed.ts";
import { Expiries } from "./expiries.ts";
import { OneAtATime } from "./one-at-a-time.ts";
import { PlaceNotes, type Noted } from "./place-notes.ts";
import type { Reads } from "./reads.ts";
import { Steps } from "./steps.ts";
import { watches, WatchIndex, type Watched } from "./watch-index.ts";

/** News of a key. */
export interface KeyNews {
  readonly event: "set" | "delete" | "expire";
  readonly key: string;
  /** The etag of the entry that was set, of the delete, or of the entry that has expired. */
  readonly etag: string;
  /** What the key holds now, if it was set. */
  readonly entry: Entry | undefined;
  readonly sequence: number;
}

/** The receiver of a watch's news. Its methods must not throw. */
export interface WatchSink {
  /** Whether it accepts news now. If not, it calls `Watch.goOn` once it does again. */
  readonly isOpen: () => boolean;
  /** News in their order; `token` is that of the place behind them. */
  readonly tell: (news: readonly KeyNews[], token: string) => void;
  /** News was missed: the client has to read anew, and then goes on from `token`. */
  readonly reload: (token: string) => void;
  /** Nothing more will be told: the node stops. */
  readonly end: () => void;
  /**
   * Everything through `position`, the node's own position, has been told; `token` names the place. If the method is given, it is called whenever the
   * position has moved on, and at least once a second.
   */
  readonly level?: (token: string, position: string) => void;
}

/** The watched keys, and the place to begin at. */
export interface WatchQuery {
  readonly watched: Watched;
  /** The token of the place after which to go on. Default: from now on. */
  readonly token?: string | undefined;
}

/** A watch that is open. */
export interface Watch {
  /** The token of the place from which it began. */
  readonly token: string;
  /** The sink takes news again. */
  goOn(): void;
  close(): void;
}

/** The parts that watches need. */
export interface WatchesOptions {
  readonly feed: ChangeFeed;
  readonly reads: Pick<Reads, "newest" | "list">;
  readonly clock: Clock;
  /** The cluster's time. */
  readonly nowMs: () => number;
  /** The node's position, as text. */
  readonly position: () => string;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Default: 50 000. */
  readonly watchesMax?: number;
}

const WATCHES_MAX = 50_000;

/** The bounds of one turn: changes that are read; bytes of their values and watchers with news, after which reading ends; and watchers that are told. */
const READ_PER_TURN = 256;
const NEWS_PER_TURN = 4_096;
const BYTES_PER_TURN = 1024 * 1024;
const TOLD_PER_TURN = 64;

/** How many news are told at once. */
const NEWS_MAX = 100;

interface Watcher extends Noted {
  readonly watched: Watched;
  readonly sink: WatchSink;
  /** The sequence through which everything has been told. */
  through: number;
  /** News that wait for the turn of this watcher. Invariant: empty while it is behind. */
  news: KeyNews[];
  /** Whether it reads from its own place instead of being told what comes. */
  isBehind: boolean;
  /** Whether it is known when the keys of its prefix expire. */
  hasListed: boolean;
}

/** The watches of a node. */
export class Watches {
  readonly #options: WatchesOptions;
  readonly #max: number;
  readonly #index = new WatchIndex<Watcher>();
  readonly #watchers = new Set<Watcher>();
  readonly #expiries: Expiries;
  readonly #listing = new OneAtATime();
  readonly #notes: PlaceNotes;
  #subscription: Subscription | undefined;
  /** Everything in the feed through this sequence has been read for all watchers that are not behind. */
  #readThrough = 0;
  /** Watchers that have news, and those that read from places of their own. */
  readonly #due = new Set<Watcher>();
  readonly #catchingUp = new Set<Watcher>();
  #hasMore = false;
  #isScheduled = false;
  #isClosed = false;

  constructor(options: WatchesOptions) {
    this.#options = options;
    this.#max = options.watchesMax ?? WATCHES_MAX;
    this.#expiries = new Expiries({ ...options, onDue: (key) => this.#onDue(key) });
    this.#notes = new PlaceNotes(options);
    options.metrics.level(() => [
      { name: "watches", now: this.#watchers.size, max: this.#max },
      { name: "watchesBehind", now: this.#catchingUp.size, max: this.#max },
    ]);
  }

  /** Throws what `open` would throw now. */
  check({ token }: Pick<WatchQuery, "token">): void {
    if (token !== undefined) this.#options.feed.placeOf(token);
    if (this.#isClosed) throw new MeridianError("NODE_DRAINING", "The node is shutting down");
    const [now, max] = [this.#watchers.size + 1, this.#max];
    if (now <= max) return;
    const said = `Expected at most ${max} watches, got ${now}`;
    throw new MeridianError("OVERLOADED", said, { details: { now, max } });
  }

  /** Begins a watch. Throws `INVALID_ARGUMENT` for what is no token, `OVERLOADED` if there are too many, and `NODE_DRAINING` on a node that stops. */
  open({ watched, token }: WatchQuery, sink: WatchSink): Watch {
    const { feed } = this.#options;
    this.check({ token });
    const place = token === undefined ? feed.head : feed.placeOf(token);
    this.#subscription ??= feed.subscribe(() => this.#onNews());
    if (this.#watchers.size === 0) {
      this.#subscription.read(0);
      this.#readThrough = feed.head;
    }
    const isBehind = place < feed.head;
    const watcher: Watcher = {
      watched,
      sink,
      through: place,
      news: [],
      isBehind,
      hasListed: false,
      isLevel: () => this.#isLevel(watcher),
      note: (position) => {
        watcher.through = feed.head;
        sink.level?.(feed.tokenAt(feed.head), position);
      },
    };
    this.#watchers.add(watcher);
    this.#index.add(watched, watcher);
    if (sink.level !== undefined) this.#notes.add(watcher);
    void this.#learnExpiries(watcher);
    if (isBehind) this.#catchUp(watcher);
    return {
      token: token ?? feed.tokenAt(place),
      goOn: () => {
        if (this.#watchers.has(watcher) && watcher.isBehind) this.#catchUp(watcher);
      },
      close: () => this.#close(watcher),
    };
  }

  /** Ends all watches, and takes no more. Resolves once all have been ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const steps = new Steps();
    for (const watcher of this.#watchers) {
      this.#close(watcher);
      watcher.sink.end();
      await steps.spend(0);
    }
  }

  #close(watcher: Watcher): void {
    if (!this.#watchers.delete(watcher)) return;
    this.#index.delete(watcher.watched, watcher);
    this.#notes.delete(watcher);
    this.#due.delete(watcher);
    this.#catchingUp.delete(watcher);
    if (this.#watchers.size > 0) return;
    this.#subscription?.close();
    this.#subscription = undefined;
    this.#expiries.clear();
  }

  #onNews(): void {
    this.#hasMore = true;
    this.#schedule();
  }

  #catchUp(watcher: Watcher): void {
    this.#catchingUp.add(watcher);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      try {
        this.#work();
      } catch (cause) {
        // The store cannot be read: nobody knows what has been missed.
        this.#options.logger.error("changes cannot be told", { error: String(cause) });
        for (const watcher of this.#watchers) this.#fallBehind(watcher, -1);
      }
      const hasWork = this.#due.size > 0 || this.#hasMore || this.#catchingUp.size > 0;
      if (hasWork && this.#watchers.size > 0) this.#schedule();
    });
  }

  /** Does the work of one turn: tells some watchers, or else reads on in the feed, and reads on for one watcher that is behind. */
  #work(): void {
    if (this.#due.size > 0) this.#tellSome();
    else if (this.#hasMore) this.#read();
    const [behind] = this.#catchingUp;
    if (behind === undefined) return;
    this.#catchingUp.delete(behind);
    this.#readOf(behind);
  }

  /** Reads changes from the feed, and queues them for the watchers of their keys. */
  #read(): void {
    let [bytes, read, noted] = [0, 0, 0];
    while (read < READ_PER_TURN && bytes < BYTES_PER_TURN && noted < NEWS_PER_TURN) {
      const news = this.#subscription?.read(1);
      if (news === undefined) return;
      if (news.hasMissed) for (const watcher of this.#watchers) this.#fallBehind(watcher, -1);
      const [change] = news.changes;
      if (change === undefined) {
        this.#hasMore = false;
        this.#readThrough = this.#options.feed.head;
        return;
      }
      read += 1;
      this.#readThrough = change.sequence;
      if (!this.#index.has(change.key)) continue;
      const told = this.#newsOf(change);
      if (told === undefined) continue;
      bytes += told.entry?.value.byteLength ?? 0;
      for (const watcher of this.#index.of(change.key)) {
        if (watcher.isBehind || change.sequence <= watcher.through) continue;
        watcher.news.push(told);
        this.#due.add(watcher);
        noted += 1;
      }
    }
  }

  #tellSome(): void {
    let count = 0;
    for (const watcher of this.#due) {
      if (count === TOLD_PER_TURN) return;
      count += 1;
      this.#due.delete(watcher);
      const { news } = watcher;
      watcher.news = [];
      const through = this.#tell(watcher, news);
      if (through === undefined) this.#notes.tell(watcher);
      else this.#fallBehind(watcher, through);
    }
  }

  /** Whether a watcher has been told everything. */
  #isLevel({ isBehind, news, sink }: Watcher): boolean {
    const isRead = this.#readThrough === this.#options.feed.head;
    return isRead && !isBehind && news.length === 0 && sink.isOpen();
  }

  /** Tells a watcher as much as it takes. Returns the place after which it takes nothing more for now; undefined if it has taken all. */
  #tell(watcher: Watcher, news: readonly KeyNews[]): number | undefined {
    const { feed } = this.#options;
    for (let at = 0; at < news.length;) {
      // Not the place of what was last told: the ring may have moved on from there with changes of other keys.
      if (!watcher.sink.isOpen()) return (news[at]?.sequence ?? 0) - 1;
      let [end, bytes] = [at, 0];
      while (end < news.length && end - at < NEWS_MAX && bytes < BYTES_PER_TURN / 4) {
        bytes += news[end]?.entry?.value.byteLength ?? 0;
        end += 1;
      }
      const some = news.slice(at, end);
      watcher.through = some.at(-1)?.sequence ?? watcher.through;
      watcher.sink.tell(some, feed.tokenAt(watcher.through));
      at = end;
    }
    return undefined;
  }

  /** From here on, a watcher reads from its own place, once it takes again. */
  #fallBehind(watcher: Watcher, through: number): void {
    watcher.news = [];
    watcher.through = through;
    watcher.isBehind = true;
    if (watcher.sink.isOpen()) this.#catchUp(watcher);
  }

  /** Reads on for a watcher that is behind. */
  #readOf(watcher: Watcher): void {
    const { feed } = this.#options;
    if (!watcher.sink.isOpen()) return;
    const { hasMissed, changes, through } = feed.after(watcher.through, READ_PER_TURN);
    if (hasMissed) {
      watcher.through = through;
      watcher.sink.reload(feed.tokenAt(through));
    }
    let bytes = 0;
    const news: KeyNews[] = [];
    let last = through;
    for (const change of changes) {
      if (!watches(watcher.watched, change.key)) continue;
      const told = this.#newsOf(change);
      if (told === undefined) continue;
      news.push(told);
      bytes += told.entry?.value.byteLength ?? 0;
      if (bytes < BYTES_PER_TURN) continue;
      last = change.sequence;
      break;
    }
    const stopped = this.#tell(watcher, news);
    watcher.through = stopped ?? last;
    if (stopped !== undefined) return;
    if (last !== feed.head) return this.#catchUp(watcher);
    watcher.isBehind = false;
    this.#notes.tell(watcher);
  }

  /** What a change is news of; undefined if another change has replaced it, which is told for itself. */
  #newsOf({ key, stamp, deleted, sequence }: Change): KeyNews | undefined {
    if (isReservedKey(key)) return undefined;
    const newest = this.#options.reads.newest(key);
    const etag = etagOf({ stamp });
    if (newest === undefined) {
      return deleted ? { event: "delete", key, etag, entry: undefined, sequence } : undefined;
    }
    if (compareStamps(newest.stamp, stamp) !== 0) return undefined;
    this.#expiries.keep(newest.deleted ? { key, expiresAtMs: 0 } : this.#unexpired(newest));
    if (newest.deleted) return { event: "delete", key, etag, entry: undefined, sequence };
    const isSet = isLive(newest, this.#options.nowMs());
    return {
      event: isSet ? "set" : "expire",
      key,
      etag,
      entry: isSet ? newest : undefined,
      sequence,
    };
  }

  #unexpired(entry: Entry): Pick<Entry, "key" | "expiresAtMs"> {
    const { key } = entry;
    return isLive(entry, this.#options.nowMs()) ? entry : { key, expiresAtMs: 0 };
  }

  /** Learns when what is watched now will expire: of one watch after the other, in later turns. */
  async #learnExpiries(watcher: Watcher): Promise<void> {
    const { watched } = watcher;
    try {
      if ("prefix" in watched)
        return await this.#listing.run(() => this.#list(watched.prefix, watcher));
      const entry = this.#options.reads.newest(watched.key);
      if (entry !== undefined) this.#expiries.keep(this.#unexpired(entry));
    } catch {
      // Reads report a store that cannot be read. This watch only lacks the news of expiries.
    }
  }

  async #list(prefix: string, watcher: Watcher): Promise<void> {
    for (const other of this.#index.of(prefix)) if (other.hasListed) return;
    const steps = new Steps();
    let after: string | null | undefined;
    while (after !== null && this.#watchers.has(watcher)) {
      const from = after === undefined ? {} : { after };
      const page = await this.#options.reads.list({ prefix, limit: 500, ...from });
      for (const entry of page.entries) {
        // The listing is from a moment ago, so the key may have been set again.
        const newest = entry.expiresAtMs === 0 ? undefined : this.#options.reads.newest(entry.key);
        if (newest === undefined) continue;
        this.#expiries.keep(this.#unexpired(newest));
        await steps.spend(newest.value.byteLength);
      }
      if (this.#expiries.isFull) break;
      after = page.next;
    }
    watcher.hasListed = true;
  }

  /** A moment has come at which what a key held was to expire. */
  #onDue(key: string): void {
    if (!this.#index.has(key)) return;
    const entry = this.#options.reads.newest(key);
    if (entry === undefined || entry.deleted || isLive(entry, this.#options.nowMs())) return;
    this.#options.feed.expired(entry);
  }
}
