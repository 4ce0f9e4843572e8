/** Where a write stands in a distributed trace: the headers of W3C Trace Context, level 1. */

/** The operation of others that something is a part of. */
export interface TraceContext {
  /** 32 lower-case hexadecimal digits, not all zeros. */
  readonly traceId: string;
  /** The operation: 16 lower-case hexadecimal digits, not all zeros. */
  readonly parentId: string;
  /** Whether the caller may have recorded it. */
  readonly sampled: boolean;
  /** What tracing systems add to it, as a `tracestate` header has it; empty for nothing. */
  readonly state: string;
}

/** The longest `tracestate` that is passed on. */
export const TRACE_STATE_LENGTH_MAX = 512;

/** Version, trace, parent and flags. Versions after 00 may go on. */
const TRACE_PARENT =
  /^(?!ff)(?<version>[\da-f]{2})-(?!0{32})(?<traceId>[\da-f]{32})-(?!0{16})(?<parentId>[\da-f]{16})-(?<flags>[\da-f]{2})(?<more>$|-)/;

const TRACE_PARENT_LENGTH_MAX = 256;

const SAMPLED = 1;

const STATE_MEMBERS_MAX = 32;
const STATE_MEMBER =
  /^(?:[\da-z][\d_a-z*/-]{0,240}@)?[\da-z][\d_a-z*/-]{0,255}=[\x20-\x2B\x2D-\x3C\x3E-\x7E]{0,255}[\x21-\x2B\x2D-\x3C\x3E-\x7E]$/;

/**
 * Reads the headers `traceparent` and `tracestate` of a request. Returns undefined for a `traceparent` that is malformed, as if the
 * request had none; a malformed `tracestate` counts as an empty one.
 */
export function parseTraceContext(
  traceparent: string | undefined,
  tracestate?: string,
): TraceContext | undefined {
  if (traceparent === undefined || traceparent.length > TRACE_PARENT_LENGTH_MAX) return undefined;
  const { version, traceId, parentId, flags, more } = TRACE_PARENT.exec(traceparent)?.groups ?? {};
  if (traceId === undefined || parentId === undefined) return undefined;
  if (version === "00" && more !== "") return undefined;
  const sampled = (Number.parseInt(flags ?? "", 16) & SAMPLED) !== 0;
  return { traceId, parentId, sampled, state: checkedTraceState(tracestate ?? "") };
}

/** The `traceparent` of a trace. */
export function formatTraceparent({ traceId, parentId, sampled }: TraceContext): string {
  return `00-${traceId}-${parentId}-${sampled ? "01" : "00"}`;
}

/** The `tracestate` without blanks around its members; empty for one that is malformed or too long. */
export function checkedTraceState(tracestate: string): string {
  if (tracestate === "" || tracestate.length > TRACE_STATE_LENGTH_MAX) return "";
  const members = tracestate.split(",").map((member) => member.replaceAll(/^[ \t]+|[ \t]+$/g, ""));
  const filled = members.filter((member) => member !== "");
  const isValid =
    filled.length <= STATE_MEMBERS_MAX && filled.every((member) => STATE_MEMBER.test(member));
  return isValid ? filled.join(",") : "";
}
