/**
 * What must be true of every key after the storm, from nothing but what clients were told.
 *
 * A write that was answered is known by its stamp, and the newest stamp of a key wins. A write that was not
 * answered may have been made or not, and so may be the newest or not.
 */
import { compareStamps, parseStamp, type Stamp } from "@meridian/protocol";

/** What a region says of a key at the end. */
export interface Held {
  readonly value: string;
  readonly etag: string;
}

/** What does not hold of a key. */
export interface Wrong {
  /** An acknowledged set is not there, a deleted value is, or something that nobody has written. */
  readonly kind: "lost" | "resurrected" | "invented";
  readonly key: string;
  readonly said: string;
}

interface Newest {
  readonly stamp: Stamp;
  /** Undefined for a delete. */
  readonly value: string | undefined;
}

/** Collects what clients were told, and says what of it does not hold. */
export class Oracle {
  readonly #acknowledged = new Map<string, Newest>();
  /** The values of unanswered sets, and undefined for unanswered deletes. */
  readonly #unanswered = new Map<string, Set<string | undefined>>();

  /** Every key that anyone has tried to write. */
  get keys(): readonly string[] {
    return [...new Set([...this.#acknowledged.keys(), ...this.#unanswered.keys()])];
  }

  /** A write was answered as made. `value` is undefined for a delete. */
  acknowledge(key: string, value: string | undefined, etag: string): void {
    const stamp = stampOf(etag);
    const known = this.#acknowledged.get(key);
    if (known === undefined || compareStamps(stamp, known.stamp) > 0) {
      this.#acknowledged.set(key, { stamp, value });
    }
  }

  /** Nobody knows whether a write was made. */
  leaveOpen(key: string, value: string | undefined): void {
    const open = this.#unanswered.get(key);
    if (open === undefined) this.#unanswered.set(key, new Set([value]));
    else open.add(value);
  }

  /** What is wrong with what a region holds of a key; undefined if nothing. */
  verdict(key: string, held: Held | undefined): Wrong | undefined {
    const newest = this.#acknowledged.get(key);
    const open = this.#unanswered.get(key);
    const wrong = (kind: Wrong["kind"], said: string): Wrong => ({ kind, key, said });
    if (held === undefined) {
      if (newest?.value === undefined || open?.has(undefined) === true) return undefined;
      return wrong("lost", "acknowledged as set, and gone");
    }
    const order = newest === undefined ? 1 : compareStamps(stampOf(held.etag), newest.stamp);
    if (order === 0) {
      if (held.value === newest?.value) return undefined;
      return wrong("invented", `expected ${newest?.value ?? "a delete"}, got ${held.value}`);
    }
    if (order > 0 && open?.has(held.value) === true) return undefined;
    const what = newest?.value === undefined ? "delete" : "set";
    if (order > 0) {
      return wrong("invented", `nobody has set ${held.value} after the acknowledged ${what}`);
    }
    const kind = what === "set" ? "lost" : "resurrected";
    return wrong(kind, `an acknowledged ${what} is lost; got the older ${held.value}`);
  }
}

function stampOf(etag: string): Stamp {
  return parseStamp(etag.slice(1, -1));
}
