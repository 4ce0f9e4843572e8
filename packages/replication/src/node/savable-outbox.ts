import type { Cursor } from "@meridian/protocol";

interface Acknowledged {
  readonly position: number;
  /** How far the log was committed when the node heard the acknowledgement; infinite if that was another log or epoch. */
  readonly through: number;
}

/**
 * Knows through which position the node may durably count its outbox as acknowledged.
 *
 * Invariant: the durable cursor covers what is durable as acknowledged. So an acknowledgement that was heard when the log was
 * committed through 90 is savable once the durable cursor has come to 90.
 */
export class SavableOutbox {
  /** The oldest and the newest acknowledgement that the cursor does not cover yet. */
  #waiting: readonly Acknowledged[] = [];
  #position: number;
  /** The log that acknowledgements come from. */
  #log = { logId: 0, epoch: 0 };
  /** The highest `committedThrough` of the acknowledgements that have become savable. */
  #through = 0;

  constructor(outboxAcknowledged: number) {
    this.#position = outboxAcknowledged;
  }

  /** The last position that may be saved. */
  get position(): number {
    return this.#position;
  }

  /** The directory has committed the outbox through `position`, and its log through `through`. */
  acknowledge(position: number, through: number): void {
    this.#waiting = [...this.#waiting.slice(0, 1), { position, through }];
  }

  /**
   * The durable cursor has come to `sequence` of a log. If the disk has refused what the node had of the log that acknowledges, the node stands in an
   * earlier log again, and a cursor in that log covers none of the acknowledgements.
   */
  cover({ logId, epoch, sequence }: Cursor): void {
    if (this.#log.logId !== logId || this.#log.epoch !== epoch) return;
    const isCovered = ({ through }: Acknowledged): boolean => through <= sequence;
    for (const { position, through } of this.#waiting.filter(isCovered)) {
      this.#position = Math.max(this.#position, position);
      this.#through = Math.max(this.#through, through);
    }
    this.#waiting = this.#waiting.filter((each) => !isCovered(each));
  }

  /** A record was not made durable, perhaps the one with the cursor: acknowledgements after position `durable` wait again for a durable cursor. */
  lose(durable: number): void {
    if (this.#position <= durable) return;
    const again = { position: this.#position, through: this.#through };
    this.#waiting = [again, ...this.#waiting.slice(-1)];
    this.#position = durable;
  }

  /**
   * A directory has taken the node in: from here on, acknowledgements come from its log. Where this log has the frames that another log or epoch has
   * acknowledged is known only once the node has settled.
   */
  enterLog({ logId, epoch }: Pick<Cursor, "logId" | "epoch">): void {
    if (this.#log.logId === logId && this.#log.epoch === epoch) return;
    this.#log = { logId, epoch };
    this.#waiting = this.#waiting.map((each) => ({ ...each, through: Infinity }));
  }

  /** The node has settled at `sequence` of its log. */
  settleAt(sequence: number): void {
    const newest = this.#waiting.at(-1);
    if (newest === undefined) return;
    const through = newest.through === Infinity ? sequence : Math.max(newest.through, sequence);
    this.#waiting = [{ ...newest, through }];
  }
}
