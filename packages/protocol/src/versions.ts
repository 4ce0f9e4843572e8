/**
 * The negotiation of protocol versions and features. A greeting (`hello`, `follow`, `probe`) carries the range of versions that its sender
 * speaks and the features that it has; the answer (`welcome`, `standing`) names the chosen version and the features that both have. A party
 * sends what a version or a feature adds only to a peer with which it was agreed on. PROTOCOL.md, "Versions and features", has the rules for changes.
 */
import { MeridianError } from "./errors.ts";

/** The newest version of the wire protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** The oldest one. */
export const PROTOCOL_VERSION_MIN = 1;

/** The feature of a node that accepts `members-changed`, with the changes of the member list, after the first whole list. */
export const MEMBERS_CHANGED = "members-changed";

/** The feature of a node that sets the flag `incomplete` in frames of its outbox if the log may lack earlier frames of it. */
export const INCOMPLETE_OUTBOX = "incomplete-outbox";

/** The feature of a party that accepts the traces of writes in the extension of frames. */
export const TRACES = "traces";

/** The feature of a node that tells its directory with `heat` which keys are used on it, and accepts `heat-elsewhere`. */
export const HEAT = "heat";

/** The feature of a node that sends `propose` and `barrier`, and of a directory that answers them with `decided`. */
export const CONDITIONS = "conditions";

/** The feature of a node that is sent its own frames with their entries, and of a directory that does so. */
export const OWN_FRAMES = "own-frames";

/** The feature of a node that takes frames of its neighbours before they are ordered, where its directory does not write the log. */
export const EARLY = "early";

/** The features that this code has. A node that shares no heat announces all but `HEAT`, and one that has taken no stamps back all but `OWN_FRAMES`. */
export const FEATURES: readonly string[] = [
  MEMBERS_CHANGED,
  INCOMPLETE_OUTBOX,
  TRACES,
  HEAT,
  CONDITIONS,
  OWN_FRAMES,
  EARLY,
];

/** The versions and features that a party announces. */
export interface Capabilities {
  /** The lowest and the highest version. Invariant: 1 ≤ lowest ≤ highest. */
  versions: [lowest: number, highest: number];
  /** The names of the features that it has. */
  features: string[];
}

/** The version and the features that two parties have agreed on. */
export interface Agreement {
  version: number;
  /** The features that both have. */
  features: string[];
}

/** The versions and features that this code announces in a greeting, all but the features that are switched off. */
export function capabilities(...off: readonly string[]): Capabilities {
  const features = FEATURES.filter((name) => !off.includes(name));
  return { versions: [PROTOCOL_VERSION_MIN, PROTOCOL_VERSION], features };
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
