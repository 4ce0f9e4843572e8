import type { Done } from "@meridian/ports";
import { BURIAL_ORIGIN, type Cursor, type Entry } from "@meridian/protocol";

import type { DirectoryContext } from "../directory/directory-context.ts";
import type { Intake, Kept, Progress, ReceivedFrame } from "../intake/applier.ts";
import type { LogPosition } from "../intake/log-position.ts";
import type { FollowedRun } from "../order/sequencer.ts";
import { graveOf, isStale } from "../order/stale-entries.ts";
import type { FollowerParts } from "./follower.ts";

/** Orders the entries of another directory's log in this directory's log, as far as they are news there. */
export class FollowerIntake implements Intake {
  readonly #context: DirectoryContext;
  readonly #parts: FollowerParts;
  readonly #position: LogPosition;
  /** The head of the other log when the comparison began that has not been made durable yet. */
  #compared: Cursor | undefined;

  constructor(context: DirectoryContext, parts: FollowerParts, position: LogPosition) {
    this.#context = context;
    this.#parts = parts;
    this.#position = position;
  }

  /** A comparison with the other log begins, which is at `head`. It passes over what is purgeable. */
  compare(head: Cursor): void {
    this.#compared = head;
  }

  keep({ entries, traces, isDonation }: ReceivedFrame, kept: Kept): void {
    const cursor = isDonation ? undefined : this.#position.takeCursor();
    this.#order({ entries: this.#newsOf(entries), traces }, cursor, kept);
  }

  save({ cursor }: Progress, done: Done): void {
    this.#order({ entries: [] }, cursor, done);
  }

  #order(
    run: Pick<FollowedRun, "entries" | "traces">,
    cursor: Cursor | undefined,
    done: Kept | Done,
  ): void {
    const { sequencer, news } = this.#parts;
    const { clock } = this.#context;
    const followed = cursor?.logId === 0 ? undefined : cursor;
    const { epoch } = this.#position;
    const compared = followed && this.#compared;
    if (followed !== undefined) this.#compared = undefined;
    sequencer.follow({ ...run, epoch, followed, compared }, clock.nowMs(), (failure) => {
      if (failure === undefined) news.onDurable();
      done(failure);
    });
  }

  /**
   * The entries that are to be ordered here. Orders burials of what was deleted here long ago, which go to everyone: the other
   * directory may never have heard of what has deleted it.
   */
  #newsOf(entries: readonly Entry[]): readonly Entry[] {
    const { log, clock, rules } = this.#context;
    const { sequencer, news } = this.#parts;
    const { horizon } = this.#parts.horizon;
    const isTaken = ({ stamp }: Entry): boolean =>
      rules.burialsAreFollowed || stamp.origin !== BURIAL_ORIGIN;
    const fresh = news.takeNews(entries.filter(isTaken));
    const stale = entries.filter((entry) => isStale(log, horizon, entry));
    // An entry that is neither news nor in the log's table is on its way into the table.
    const buried = stale.filter((each) => fresh.includes(each) || log.peek(each.key) !== undefined);
    if (buried.length === 0) return fresh;
    const burials = buried.map((entry) => graveOf(log, entry));
    sequencer.follow({ entries: burials, epoch: 0, followed: undefined }, clock.nowMs(), () => {});
    return fresh.filter((entry) => !stale.includes(entry));
  }
}
