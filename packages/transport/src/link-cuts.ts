import { ERROR_KINDS, type ErrorCode, type ErrorKind } from "@meridian/protocol";
import { Cuts, type CutsOptions } from "@meridian/runtime";

/** Counts of the links that a program has ended, by error code. */
export type LinkCuts = Cuts<ErrorCode>;

/** Counts the links that a program ends, both those that it has accepted and those that it has dialled. */
export function linkCuts(
  options: Pick<CutsOptions<ErrorCode>, "clock" | "logger" | "metrics">,
): LinkCuts {
  const reasons = (Object.keys(ERROR_KINDS) as ErrorCode[]).filter((code) => {
    const kind: ErrorKind = ERROR_KINDS[code];
    return kind.closeCode !== undefined;
  });
  return new Cuts({
    ...options,
    name: "meridian_link_cuts_total",
    help: "Links that this end has ended, by the code of the error.",
    said: "A replication link was ended because of its peer",
    reasons,
  });
}

/** Codes of links that ended by the fault of the peer, or that cost as much as if they had. */
export const FAULTS: ReadonlySet<ErrorCode> = new Set([
  "LEASE_EXPIRED",
  "MALFORMED_MESSAGE",
  "OVERLOADED",
  "SAME_LOG",
  "UNSUPPORTED_VERSION",
  "WRONG_CLUSTER",
] as const);
