/** What the log is, as the stream has it: the oracle by which directories and nodes are checked. It reads each message once, when it is stored. */
import { Lineage, parseMessageId } from "@meridian/log-jetstream/source/lineage";
import type { StoredMessage } from "@meridian/log-jetstream/source/log-stream";
import { decodeEpoch, decodeRecord, RecordParts } from "@meridian/log-jetstream/source/records";
import type { LogFrame } from "@meridian/protocol";
import { emptyLogDisk, MemoryDirectoryLog, type LogDisk } from "@meridian/testkit";

/** Commits at once. */
const NOW = (commit: () => void): void => commit();

/** The log of a stream, without delays and deaths. */
export class StreamTruth {
  #disk: LogDisk = emptyLogDisk(0);
  #log = new MemoryDirectoryLog(this.#disk, 0, NOW);
  #lineage = new Lineage(undefined);
  #parts = new RecordParts();
  #epoch = 0;
  /** Called with each frame that the log has from now on. */
  onFrame: (epoch: number, frame: LogFrame) => void = () => {};

  /** Called with what no message may say. */
  onViolation: (violation: string) => void = () => {};

  /** The data of the log. Another object stands for another log, or for one that has lost something. */
  get disk(): LogDisk {
    return this.#disk;
  }

  get log(): MemoryDirectoryLog {
    return this.#log;
  }

  /** The epoch that was begun last; 0 for none since the stream was set back: until then, cursors in the last epoch may name what is lost. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The stream was set back: it has these messages from the first on. */
  restart(history: readonly StoredMessage[]): void {
    const { onFrame } = this;
    this.onFrame = () => {};
    this.#disk = emptyLogDisk(0);
    this.#log = new MemoryDirectoryLog(this.#disk, 0, NOW);
    this.#lineage = new Lineage(undefined);
    this.#parts = new RecordParts();
    this.#epoch = 0;
    for (const message of history) this.take(message);
    this.#epoch = 0;
    this.onFrame = onFrame;
  }

  take(message: StoredMessage): void {
    if (!this.#lineage.counts(message)) return;
    const { subject, data } = message;
    if (subject === "epoch") {
      const { logId, epochs } = decodeEpoch(data);
      this.#checkBegin(message.id, epochs.at(-1)?.[1] ?? 0);
      this.#disk.logId = logId;
      this.#disk.epochs = [...epochs];
      // An older writer may say its begin again where the stream was set back to within its epoch.
      if (parseMessageId(message.id)?.number === 0) this.#epoch = epochs.at(-1)?.[0] ?? 0;
      return this.#parts.drop();
    }
    for (const bytes of this.#parts.take(data)) {
      const record = decodeRecord(bytes);
      const log = this.#log;
      switch (record.kind) {
        case "frame": {
          const { kind: _, ...frame } = record;
          log.append(frame, () => {});
          this.onFrame(this.#epoch, frame);
          break;
        }
        case "admit":
          log.admit(record.time, () => {});
          break;
        case "horizon":
          log.saveHorizon(record.state, () => {});
          break;
        case "members":
          log.remember(record.members, record.dropped, () => {});
          break;
        case "doubt":
          log.saveDoubt(record.doubt, () => {});
      }
    }
  }

  /** An epoch begins where the log ends: nothing is appended between what its directory has read and its begin. */
  #checkBegin(id: string, after: number): void {
    const { committedThrough } = this.#disk;
    if (parseMessageId(id)?.number !== 0 || after === committedThrough) return;
    this.onViolation(
      `an epoch says that it begins after ${after}, and begins after ${committedThrough}`,
    );
  }
}
