import type { LogState } from "@meridian/log-jetstream/source/log-state";
import type { Done, LogDoubt } from "@meridian/ports";
import type { HorizonState, LogFrame, RememberedMember } from "@meridian/protocol";
import { emptyLogDisk, type LogDisk, type ScheduleCommit } from "@meridian/testkit";

import { TracedLog } from "../traced-log.ts";
import { BOUNDS } from "../bounds.ts";

/** A place in the log's stream. */
type StreamPlace = NonNullable<LogState["place"]>;

/** The data of a log that is made from a stream. */
export interface PlacedDisk extends LogDisk {
  place?: StreamPlace | undefined;
}

/** A database that has not been made yet: it gets its id when it is opened. */
export function unmadeDisk(): PlacedDisk {
  return emptyLogDisk(0);
}

/** A log in memory that notes where in a stream it is. */
export class PlacedLog extends TracedLog implements LogState {
  readonly #disk: PlacedDisk;
  /** Whether it was neither closed nor given up. */
  isOpen = true;

  constructor(disk: PlacedDisk, epoch: number, schedule: ScheduleCommit) {
    super(disk, epoch, schedule, BOUNDS.logFrames);
    this.#disk = disk;
    // The epochs of one that is made from a stream are the stream's.
    if (disk.place !== undefined) disk.epochs.pop();
  }

  get place(): StreamPlace | undefined {
    return this.#disk.place;
  }

  override append(frame: LogFrame, done: Done, place?: StreamPlace): void {
    this.appendWith(frame, done, () => this.#reach(place));
  }

  override admit(time: number, done: Done, place?: StreamPlace): void {
    super.admit(time, this.#reaching(place, done));
  }

  override saveHorizon(state: HorizonState, done: Done, place?: StreamPlace): void {
    super.saveHorizon(state, this.#reaching(place, done));
  }

  /** In order with everything else, because its place stands for what was appended before. */
  override remember(
    members: readonly RememberedMember[],
    dropped: readonly string[],
    done: Done,
    place?: StreamPlace,
  ): void {
    this.settle((failure) => {
      for (const member of members) this.#disk.members.set(member.id, member);
      for (const id of dropped) this.#disk.members.delete(id);
      this.#reach(place);
      done(failure);
    });
  }

  override saveDoubt(doubt: LogDoubt | null, done: Done, place?: StreamPlace): void {
    this.settle((failure) => {
      this.#disk.doubt = doubt;
      this.#reach(place);
      done(failure);
    });
  }

  saveEpochs(epochs: LogState["epochs"], done: Done, place: StreamPlace): void {
    this.settle((failure) => {
      this.#disk.epochs = [...epochs];
      this.#reach(place);
      done(failure);
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.settle(() => {
        this.crash();
        resolve();
      });
    });
  }

  async abort(): Promise<void> {
    this.crash();
  }

  override crash(): void {
    this.isOpen = false;
    super.crash();
  }

  #reaching(place: StreamPlace | undefined, done: Done): Done {
    return (failure) => {
      this.#reach(place);
      done(failure);
    };
  }

  #reach(place: StreamPlace | undefined): void {
    this.#disk.place = place ?? this.#disk.place;
  }
}
