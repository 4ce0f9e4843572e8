/** Whether two regions hold the same, in sentences. */
import { compareStampTexts } from "../keys/entries.ts";
import type { Report } from "../keys/entries.ts";
import type { ToldValue } from "../keys/value.ts";

/** What a region holds, as it has said last. */
export interface Holding {
  readonly report: Report;
  /** The value, if there is one and it is not too long to be shown here. */
  readonly value: ToldValue | undefined;
  /** Of everything that it holds. */
  readonly digest: { readonly count: number; readonly fingerprint: string };
  readonly isLinked: boolean;
  /** Its own writes that no directory has. */
  readonly pending: number;
}

/** A region with its holding; undefined while it has said nothing. */
export interface Side {
  readonly name: string;
  readonly holding: Holding | undefined;
}

/** How two regions compare. */
export interface Agreement {
  /** Undefined while that is not known. */
  readonly isSame: boolean | undefined;
  readonly sentences: readonly string[];
}

/** Compares what two regions hold: their versions of the key, and the digests of everything. */
export function agreementOf(left: Side, right: Side): Agreement {
  if (left.holding === undefined || right.holding === undefined) {
    return { isSame: undefined, sentences: [] };
  }
  const [a, b] = [left.holding, right.holding];
  const isSameVersion = a.report.stamp === b.report.stamp && a.report.state === b.report.state;
  const isSameDigest =
    a.digest.fingerprint === b.digest.fingerprint && a.digest.count === b.digest.count;
  return {
    isSame: isSameVersion && isSameDigest,
    sentences: [
      isSameVersion ? sameText(a.report) : differingText(left.name, a, right.name, b),
      isSameDigest
        ? `The digests of everything that they hold are equal: ${a.digest.fingerprint} of ${entriesText(a.digest.count)}.`
        : `The digests of everything that they hold differ: ${a.digest.fingerprint} of ${entriesText(a.digest.count)}, and ${b.digest.fingerprint} of ${entriesText(b.digest.count)}.`,
    ],
  };
}

function sameText({ stamp, state }: Report): string {
  if (stamp === null) return "Neither has the key.";
  return `Both have the same version of the key, ${stamp}${state === "live" ? "" : `, which is ${state}`}.`;
}

function differingText(nameA: string, a: Holding, nameB: string, b: Holding): string {
  const [stampA, stampB] = [a.report.stamp, b.report.stamp];
  const isNewerA = stampB === null || (stampA !== null && compareStampTexts(stampA, stampB) > 0);
  const newer = isNewerA ? nameA : nameB;
  const together = a.isLinked && b.isLinked ? "It is on its way." : "Healed, both will have it.";
  return `They have different versions of the key. That of ${newer} is the newer one. ${together}`;
}

function entriesText(count: number): string {
  return `${count.toLocaleString("en")} ${count === 1 ? "entry" : "entries"}`;
}
