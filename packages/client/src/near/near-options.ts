import { MeridianError } from "@meridian/protocol";

import { checkMs, refuseUnknown } from "../options.ts";
import { checkText } from "../requests.ts";

/** What a client keeps in its own process. At least one bound is required. */
export interface NearOptions {
  /** The most values that are kept. */
  readonly maxEntries?: number | undefined;
  /** About how many bytes they may take, with their keys. */
  readonly maxBytes?: number | undefined;
  /** Only values of keys that begin with this are kept. Default: all. */
  readonly prefix?: string | undefined;
  /**
   * How old the node's last word may be by which a kept value is returned, in milliseconds from 2000 to 60 000. Default 3000. No
   * value is returned for longer than this after another one was set.
   */
  readonly leaseMs?: number | undefined;
}

/** The options of a near cache, checked. */
export interface NearTerms {
  readonly maxEntries: number | undefined;
  readonly maxBytes: number | undefined;
  readonly prefix: string;
  readonly leaseMs: number;
}

/** The terms of a near cache. Throws `INVALID_ARGUMENT` or `UNKNOWN_OPTION`. */
export function nearTermsOf(options: NearOptions): NearTerms {
  if (typeof options !== "object" || options === null) {
    const said = `Expected \`near\` with \`maxEntries\` or \`maxBytes\`, got \`${String(options)}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  refuseUnknown("`near`", options, ["maxEntries", "maxBytes", "prefix", "leaseMs"]);
  const { prefix = "", leaseMs } = options;
  const maxEntries = boundOf("maxEntries", options.maxEntries, 2 ** 26);
  const maxBytes = boundOf("maxBytes", options.maxBytes, Number.MAX_SAFE_INTEGER);
  if (maxEntries === undefined && maxBytes === undefined) {
    const said = "Expected `near` with `maxEntries` or `maxBytes`, got neither";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  return {
    maxEntries,
    maxBytes,
    prefix: checkText("prefix", prefix, "INVALID_ARGUMENT"),
    leaseMs: checkMs("leaseMs", leaseMs, 3_000, 2_000, 60_000),
  };
}

function boundOf(name: string, value: number | undefined, max: number): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 1 && value <= max)) return value;
  const said = `Expected \`${name}\` as a whole number from 1 to ${max}, got \`${String(value)}\``;
  throw new MeridianError("INVALID_ARGUMENT", said);
}
