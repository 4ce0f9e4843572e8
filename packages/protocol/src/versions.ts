/**
 * How the wire grows. A greeting (`hello`, `follow`, `probe`) carries the range of versions that its sender speaks and the
 * features that it has; the answer (`welcome`, `standing`) names the version that was chosen and the features of both. What a
 * version or a feature adds is sent only where it was agreed on. PROTOCOL.md, "Versions and features", says what may change in which.
 */
import { MeridianError } from "./errors.ts";

/** The newest version of the wire protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** The oldest one. */
export const PROTOCOL_VERSION_MIN = 1;

/** A node that has it takes what has changed among the members instead of the whole list. */
export const MEMBERS_CHANGED = "members-changed";

/** A node that has it marks the frames of its outbox before which a log may lack something of the outbox. */
export const INCOMPLETE_OUTBOX = "incomplete-outbox";

/** The features that this code has beside its versions. */
export const FEATURES: readonly string[] = [MEMBERS_CHANGED, INCOMPLETE_OUTBOX];

/** What a party can speak. */
export interface Capabilities {
  /** The lowest and the highest version. Invariant: 1 ≤ lowest ≤ highest. */
  versions: [lowest: number, highest: number];
  /** What it has beside them, by name. */
  features: string[];
}

/** What two parties speak with each other. */
export interface Agreement {
  version: number;
  /** The features that both have. */
  features: string[];
}

/** What this code says of itself in a greeting. */
export function capabilities(): Capabilities {
  return { versions: [PROTOCOL_VERSION_MIN, PROTOCOL_VERSION], features: [...FEATURES] };
}

/** The highest version and the features that both parties have. Throws `UNSUPPORTED_VERSION` where no version is common. */
export function agree(theirs: Capabilities, own: Capabilities = capabilities()): Agreement {
  const [lowest, highest] = own.versions;
  const version = Math.min(highest, theirs.versions[1]);
  if (version >= lowest && version >= theirs.versions[0]) {
    return { version, features: own.features.filter((name) => theirs.features.includes(name)) };
  }
  throw new MeridianError(
    "UNSUPPORTED_VERSION",
    `Expected a party that speaks one of the protocol versions ${rangeOf(own)}, got one that speaks ${rangeOf(theirs)}`,
  );
}

function rangeOf({ versions: [lowest, highest] }: Capabilities): string {
  return lowest === highest ? String(lowest) : `${lowest} to ${highest}`;
}
