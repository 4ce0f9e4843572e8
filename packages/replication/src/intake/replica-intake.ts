import type { Done } from "@meridian/ports";
import { encodeBlock, replaces, type Entry, type RemoteRecord } from "@meridian/protocol";

import type { ReplicaHorizon } from "../horizon/replica-horizon.ts";
import type { NodeContext } from "../node/node-context.ts";
import type { Intake, Kept, Progress, ReceivedFrame } from "./applier.ts";
import type { LogPosition } from "./log-position.ts";

/** Appends the entries that a node takes in to its store, and replaces entries that were deleted long ago by their burials. */
export class ReplicaIntake implements Intake {
  readonly #context: NodeContext;
  readonly #position: LogPosition;
  readonly #horizon: ReplicaHorizon;

  constructor(context: NodeContext, position: LogPosition, horizon: ReplicaHorizon) {
    this.#context = context;
    this.#position = position;
    this.#horizon = horizon;
  }

  keep(frame: ReceivedFrame, kept: Kept): void {
    const { append, stamps, admitted, early, events } = this.#context;
    const { highestTime, reportApplied, incarnation, position } = frame.header;
    stamps.observe(highestTime);
    admitted.raise(highestTime);
    const record = this.#recordOf(frame, reportApplied || frame.isDonation);
    const onDurable = this.#tracing(frame);
    append(frame.isDonation ? record : this.#placed(record, frame), (failure) => {
      const isHere = kept(failure);
      if (failure === undefined) onDurable?.();
      if (!isHere || !reportApplied || !this.#position.isSettled) return;
      const { durableThrough } = this.#position;
      if (durableThrough > 0) events.emit.reported(durableThrough);
    });
    if (record.quarantined !== undefined) events.emit.quarantined(record.quarantined.entries);
    events.emit.changed(early.news(record.entries));
    if (!frame.isDonation) early.settle(incarnation, position);
  }

  takeEarly(frame: ReceivedFrame): boolean {
    return this.#context.early.take(frame, this.#position);
  }

  save(progress: Progress, done: Done): void {
    this.#context.append({ kind: "progress", ...progress }, done);
  }

  /** Tells, once it is called, how long the writes of a frame took to be durable here; undefined if none of them is traced. */
  #tracing({ traces, entries }: ReceivedFrame): (() => void) | undefined {
    if (traces.length === 0) return undefined;
    const { clock, events } = this.#context;
    const [cameAtMs, startedMs] = [clock.nowMs(), clock.elapsedMs()];
    return () => {
      const tookMs = clock.elapsedMs() - startedMs;
      events.emit.traced({ traces, entries: entries.length, cameAtMs, tookMs });
    };
  }

  /** The record with its place in the log, and with the cursor where one follows. */
  #placed(record: RemoteRecord, { header: { through } }: ReceivedFrame): RemoteRecord {
    const keys = record.entries.map(({ key }) => key);
    this.#context.events.emit.taken(through, keys);
    const { logId, epoch } = this.#position;
    const place = { logId, epoch, sequence: through };
    const cursor = this.#position.takeCursor();
    if (record.quarantined !== undefined) return { ...record, place, ...(cursor && { cursor }) };
    // Each member by its name: what is spread first and added to then becomes a dictionary, which every later look at a member pays for.
    const { kind, entries, block, highestTime, isAwaited = true } = record;
    return cursor === undefined
      ? { kind, entries, block, highestTime, isAwaited, place }
      : { kind, entries, block, highestTime, isAwaited, place, cursor };
  }

  /** The entries of a frame that go into the store: nearly always all of them, as they came. */
  #recordOf(frame: ReceivedFrame, isAwaited: boolean): RemoteRecord {
    const { time, events, rules } = this.#context;
    const { header, block, isDonation } = frame;
    const { highestTime, after } = header;
    const returned = this.#returned(frame.entries);
    const hasReturned = returned.length > 0;
    if (hasReturned) events.emit.returned(returned, this.#position.hold(after));
    const entries = hasReturned ? without(frame.entries, returned) : frame.entries;
    const atMs = time.nowMs();
    // The quarantine keeps an entry that by any clock may still be live.
    const expiredByMs = time.confirmedMs() ?? 0;
    const screened = this.#horizon.screen(entries, isDonation, expiredByMs);
    if (screened === undefined) {
      return {
        kind: "remote",
        entries,
        block: hasReturned ? encodeBlock(entries) : block,
        highestTime,
        isAwaited,
      };
    }
    const { quarantined } = screened;
    const kept = rules.absentIsBuried ? screened.kept : entries;
    const offered = rules.absentIsBuried ? screened.offered : [];
    if (offered.length > 0) events.emit.corrected(offered, this.#position.hold(after));
    const record: RemoteRecord = {
      kind: "remote",
      entries: kept,
      block: encodeBlock(kept),
      highestTime,
      isAwaited,
    };
    if (quarantined.length === 0) return record;
    return { ...record, quarantined: { entries: quarantined, atMs } };
  }

  /** The entries whose stamps were taken back, and that would win over what the store holds. */
  #returned(entries: readonly Entry[]): readonly Entry[] {
    const { store, rules } = this.#context;
    const { takenBack } = store;
    if (takenBack.isEmpty || !rules.takenBackIsOutranked) return [];
    return entries.filter(
      (entry) => takenBack.has(entry.stamp) && replaces(entry, store.peek(entry.key)),
    );
  }
}

/** The entries that are not among `returned`, in time that grows with their number: both may be tens of thousands. */
function without(entries: readonly Entry[], returned: readonly Entry[]): readonly Entry[] {
  const left = new Set(returned);
  return entries.filter((entry) => !left.has(entry));
}
