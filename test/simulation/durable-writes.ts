import {
  BURIAL_ORIGIN,
  compareStamps,
  type Entry,
  type ReplicaRecord,
  type Stamp,
} from "@meridian/protocol";
import type { ReplicaDisk } from "@meridian/testkit";

import type { Ledger } from "./ledger.ts";
import type { WriteNames } from "./traced-store.ts";

/** A write that only its node has: the disk, and the place in its outbox. */
interface OwnWrite {
  readonly disk: ReplicaDisk;
  readonly outboxPosition: number;
}

/** A write that a log or another node has got, with the highest stamp under which it was handed over. It stays so. */
interface HandedOver {
  readonly highest: Stamp;
}

/** By what a write may be gone: the highest horizon that there has been, and the names of the writes that are in a quarantine. */
interface Gone {
  readonly passedHorizon: number;
  readonly quarantined: ReadonlySet<string>;
}

/**
 * The writes that nodes have committed and that are not lost with a disk, acknowledged or not. Only such a write may have replaced
 * another one. A write whose process died before the commit is nowhere.
 */
export class DurableWrites {
  readonly #names: WriteNames;
  readonly #ledger: Ledger;
  /** By key and name. */
  readonly #ofKey = new Map<string, Map<string, OwnWrite | HandedOver>>();

  /** By key: the highest time of a burial that a log or a node has got. */
  readonly #buried = new Map<string, number>();

  constructor(names: WriteNames, ledger: Ledger) {
    this.#names = names;
    this.#ledger = ledger;
  }

  /** Called when a node has committed a record on its disk. */
  onCommitted(disk: ReplicaDisk, record: ReplicaRecord): void {
    if (record.kind === "remote") this.onHandedOver(record.entries);
    if (record.kind !== "local") return;
    for (const { key, stamp } of record.entries) {
      const name = this.#names.nameOf(stamp);
      const ofKey = this.#of(key);
      if (!ofKey.has(name)) ofKey.set(name, { disk, outboxPosition: record.frame.position });
    }
  }

  /** Called when a log, or a node that they are not of, has committed entries. */
  onHandedOver(entries: readonly Entry[]): void {
    for (const { key, stamp } of entries) {
      if (stamp.origin === BURIAL_ORIGIN) {
        this.#buried.set(key, Math.max(stamp.time, this.#buried.get(key) ?? 0));
      }
      const name = this.#names.nameOf(stamp);
      const known = this.#of(key).get(name);
      const before = known !== undefined && "highest" in known ? known.highest : stamp;
      this.#of(key).set(name, { highest: compareStamps(stamp, before) > 0 ? stamp : before });
    }
  }

  /** Whether a write of the key with that stamp has been buried somewhere, so that it will be everywhere. */
  wasBuried(key: string, { time }: Stamp): boolean {
    return (this.#buried.get(key) ?? 0) >= time;
  }

  /** Called when the `backup` of a node takes the place of its disk `lost`: what it had neither handed over nor in its backup is nowhere. */
  onRestored(lost: ReplicaDisk, backup: ReplicaDisk): void {
    for (const ofKey of this.#ofKey.values()) {
      for (const [name, write] of ofKey) {
        if ("highest" in write || write.disk !== lost) continue;
        if (write.outboxPosition > backup.outboxThrough) ofKey.delete(name);
        else ofKey.set(name, { ...write, disk: backup });
      }
    }
  }

  /**
   * Whether a newer write of the key has taken the place of the write `name`, and may be gone by now without leaving anything: because it fades and a horizon has
   * passed it, or because it is in a quarantine.
   */
  mayBeForgotten(key: string, name: string, { passedHorizon, quarantined }: Gone): boolean {
    const last = this.#names.lastOf(name);
    const gone: Stamp[] = [];
    for (const [other, write] of this.#of(key)) {
      const isQuarantined = quarantined.has(other);
      if (!isQuarantined && !this.#ledger.fades(other)) continue;
      if (this.#names.lastOf(other) === last) continue;
      // A restored copy of its node may have given it a lower stamp than others have it with.
      const given = "highest" in write ? [write.highest] : [];
      for (const stamp of [this.#names.stampOf(other), ...given]) {
        if (isQuarantined || stamp.time <= passedHorizon) gone.push(stamp);
      }
    }
    return this.#names.isAnyAtLeast(gone, name);
  }

  #of(key: string): Map<string, OwnWrite | HandedOver> {
    let ofKey = this.#ofKey.get(key);
    if (ofKey === undefined) this.#ofKey.set(key, (ofKey = new Map()));
    return ofKey;
  }
}
