/** Parts of a simulation that are wrong in one respect. */
import type { Done, SummaryPage } from "@meridian/ports";
import type { Entry, LogFrame, ReplicaRecord, Summary } from "@meridian/protocol";
import type { ReplicaDisk } from "@meridian/testkit";

import { BOUNDS } from "../bounds.ts";
import type { ClusterParts } from "../parts.ts";
import { TracedLog } from "../traced-log.ts";
import { TracedStore } from "../traced-store.ts";
import { START_MS, type ProcessClock, type World } from "../world.ts";

/** The parts of a simulation by which a tampered store decides what to change. */
export interface Tools {
  readonly disk: ReplicaDisk;
  readonly clock: ProcessClock;
  readonly world: World;
}

type StoreClass = new (...args: ConstructorParameters<typeof TracedStore>) => TracedStore;

/** Parts whose stores are of the class `store`, prepared by `prepare`. */
export function stores<Store extends TracedStore>(
  store: StoreClass & (new (...args: never[]) => Store),
  prepare: (store: Store, tools: Tools) => void = () => {},
): ClusterParts {
  return {
    openStore: (disk, clock, world) => {
      const opened = new store(disk, (run) => clock.after(world.between(0, 3), run)) as Store;
      prepare(opened, { disk, clock, world });
      return opened;
    },
  };
}

class TamperedStore extends TracedStore {
  tamper: (record: ReplicaRecord) => ReplicaRecord = (record) => record;

  override append(record: ReplicaRecord, done: Done): void {
    super.append(this.tamper(record), done);
  }
}

/** Parts whose stores get other records than their nodes pass to them. */
export function tampered(
  tamper: (record: ReplicaRecord, tools: Tools) => ReplicaRecord,
): ClusterParts {
  return stores(TamperedStore, (store, tools) => {
    store.tamper = (record) => tamper(record, tools);
  });
}

/** Parts whose logs are of the class `log`. */
export function logs(log: typeof TracedLog): ClusterParts {
  return { openLog: (disk, epoch, schedule) => new log(disk, epoch, schedule, BOUNDS.logFrames) };
}

/** A log that says that a frame is durable before it is. */
export class HastyLog extends TracedLog {
  override append(frame: LogFrame, done: Done): void {
    super.append(frame, () => {});
    queueMicrotask(done);
  }
}

/** Parts whose logs are of the class `log`, on slow disks. */
export function slowLogs(log: typeof TracedLog): ClusterParts {
  return {
    openLog: (disk, epoch, _schedule, world) => {
      const slowly = (run: () => void): void => world.schedule(world.between(0, 300), run);
      return new log(disk, epoch, slowly, BOUNDS.logFrames);
    },
  };
}

/** Parts whose network loses one in `every` messages of one kind. */
export function lost(
  isOne: (message: string | Uint8Array) => boolean,
  every: number,
): ClusterParts {
  return {
    rewrite: (message, _to, { world }) =>
      isOne(message) && world.chance(1 / every) ? undefined : message,
  };
}

class ForgetfulStore extends TracedStore {
  forget: () => void = () => {};
  isForgotten: (entry: Entry) => boolean = () => false;

  override append(record: ReplicaRecord, done: Done): void {
    super.append(record, (failure) => {
      this.forget();
      done(failure);
    });
  }

  override get(key: string): Entry | undefined {
    const entry = super.get(key);
    return entry !== undefined && this.isForgotten(entry) ? undefined : entry;
  }
}

class ForgetfulLog extends TracedLog {
  forget: () => void = () => {};

  override append(frame: LogFrame, done: Done): void {
    super.append(frame, (failure) => {
      this.forget();
      done(failure);
    });
  }

  override summariesAfter(key: string | null, limit: number, horizon?: number): readonly Summary[] {
    this.forget();
    return super.summariesAfter(key, limit, horizon);
  }

  override summaryPage(key: string | null, limit: number, horizon?: number): SummaryPage {
    this.forget();
    return super.summaryPage(key, limit, horizon);
  }
}

/** Parts whose stores and logs drop the entries for which `isForgotten` returns true. `nowMs` is the true time. */
export function forgetful(isForgotten: (entry: Entry, nowMs: number) => boolean): ClusterParts {
  const forget = <Row>(
    rows: Map<string, Row>,
    entryOf: (row: Row) => Entry,
    world: World,
  ): void => {
    for (const [key, row] of rows) {
      if (isForgotten(entryOf(row), START_MS + world.nowMs)) rows.delete(key);
    }
  };
  return {
    ...stores(ForgetfulStore, (store, { disk, world }) => {
      store.forget = () => forget(disk.entries, (entry) => entry, world);
      store.isForgotten = (entry) => isForgotten(entry, START_MS + world.nowMs);
    }),
    openLog: (disk, epoch, schedule, world) => {
      const log = new ForgetfulLog(disk, epoch, schedule, BOUNDS.logFrames);
      log.forget = () => forget(disk.entries, ({ entry }) => entry, world);
      return log;
    },
  };
}
