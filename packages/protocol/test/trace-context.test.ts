/** Headers of W3C Trace Context, and traces in the extension of frames. */
import {
  assembleFrame,
  blockOf,
  encodeTraces,
  extensionOf,
  formatTraceparent,
  FRAME_KIND,
  FRAME_TRACES_MAX,
  NO_BYTES,
  parseTraceContext,
  readFrameHeader,
  tracesOf,
  withoutTraces,
  type TraceContext,
} from "@meridian/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";

describe("a traceparent", () => {
  it.each([
    [`00-${TRACE}-${PARENT}-01`, true],
    [`00-${TRACE}-${PARENT}-00`, false],
    // Flags that level 1 does not define.
    [`00-${TRACE}-${PARENT}-ff`, true],
    [`00-${TRACE}-${PARENT}-fe`, false],
    // Later versions may go on.
    [`01-${TRACE}-${PARENT}-01`, true],
    [`cc-${TRACE}-${PARENT}-01-what-comes-then`, true],
  ])("%s is read", (traceparent, sampled) => {
    expect(parseTraceContext(traceparent)).toEqual({
      traceId: TRACE,
      parentId: PARENT,
      sampled,
      state: "",
    });
  });

  it.each([
    undefined,
    "",
    "00",
    `ff-${TRACE}-${PARENT}-01`,
    `0-${TRACE}-${PARENT}-01`,
    `00-${"0".repeat(32)}-${PARENT}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${PARENT}-01`,
    `00-${TRACE}-${PARENT}-01x`,
    `00-${TRACE}-${PARENT}-01-more`,
    `01-${TRACE}-${PARENT}-01.more`,
    `00-${TRACE}-${PARENT}-1`,
    `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`,
    ` 00-${TRACE}-${PARENT}-01`,
    `01-${TRACE}-${PARENT}-01-${"x".repeat(300)}`,
  ])("%s is passed over", (traceparent) => {
    expect(parseTraceContext(traceparent)).toBe(undefined);
  });

  it.each([
    ["congo=t61rcWkgMzE", "congo=t61rcWkgMzE"],
    [" rojo=00f0 ,\tcongo=t6 ", "rojo=00f0,congo=t6"],
    ["a=1,,b=2,", "a=1,b=2"],
    ["fw529a3039@dt=FfAAAA", "fw529a3039@dt=FfAAAA"],
    ["a=1,b", ""],
    ["A=1", ""],
    ["a=1=2", ""],
    ["a=é", ""],
    ["a=1\nb=2", ""],
    [`a=${"x".repeat(600)}`, ""],
    [Array.from({ length: 33 }, (_, index) => `k${index}=1`).join(","), ""],
  ])("with the tracestate %j, %j goes on", (tracestate, state) => {
    expect(parseTraceContext(`00-${TRACE}-${PARENT}-01`, tracestate)).toMatchObject({
      traceId: TRACE,
      state,
    });
  });

  it("is written as it was read", () => {
    fc.assert(
      fc.property(traces(), (trace) => {
        expect(parseTraceContext(formatTraceparent(trace), trace.state)).toEqual(trace);
      }),
    );
  });
});

function traces(): fc.Arbitrary<TraceContext> {
  const id = (length: number): fc.Arbitrary<string> =>
    fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((digits) => !/^0*$/.test(digits));
  return fc.record({
    traceId: id(32),
    parentId: id(16),
    sampled: fc.boolean(),
    state: fc.constantFrom("", "a=1", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
  });
}

function frameWith(extension: Uint8Array): Uint8Array {
  const whole = { after: 0, through: 0, committedThrough: 0, highestTime: 0, sentAtMs: 0 };
  const plain = { kind: FRAME_KIND.entries, reportApplied: false, incomplete: false, count: 0 };
  return assembleFrame({ ...plain, ...whole, incarnation: 0, position: 0 }, NO_BYTES, extension);
}

describe("the traces of a frame", () => {
  it("are read as they were written, the first ones of too many", () => {
    fc.assert(
      fc.property(fc.array(traces(), { maxLength: 40 }), (list) => {
        expect(tracesOf(frameWith(encodeTraces(list)))).toEqual(list.slice(0, FRAME_TRACES_MAX));
      }),
    );
  });

  it("are these bytes, by the protocol document", () => {
    const state = "a=1";
    const bytes = encodeTraces([{ traceId: TRACE, parentId: PARENT, sampled: true, state }]);
    expect(Buffer.from(bytes).toString("hex")).toBe(`01001c00${TRACE}${PARENT}01613d31`);
  });

  it("take nothing from a frame without any", () => {
    expect(encodeTraces([])).toHaveLength(0);
    const frame = frameWith(NO_BYTES);
    expect(withoutTraces(frame)).toBe(frame);
  });

  it("are taken out between items that nobody knows, which stay", () => {
    const trace = encodeTraces([
      { traceId: TRACE, parentId: PARENT, sampled: false, state: "a=1" },
    ]);
    const other = Uint8Array.of(9, 0, 2, 0, 7, 7);
    const frame = frameWith(Uint8Array.of(...other, ...trace, ...other));
    expect(tracesOf(frame)).toHaveLength(1);
    const rest = withoutTraces(frame);
    expect([...extensionOf(rest)]).toEqual([...other, ...other]);
    expect(readFrameHeader(rest)).toEqual(readFrameHeader(frame));
    expect(blockOf(rest)).toEqual(blockOf(frame));
    // Without any it is the same bytes, unknown items or not.
    expect(withoutTraces(rest)).toBe(rest);
  });

  it("that are malformed are passed over, whatever the extension holds", () => {
    const good = encodeTraces([{ traceId: TRACE, parentId: PARENT, sampled: true, state: "" }]);
    const zeros = new Uint8Array(29).fill(0);
    zeros.set([1, 0, 25, 0]);
    const short = Uint8Array.of(1, 0, 3, 0, 1, 2, 3);
    const cut = good.subarray(0, 20);
    expect(tracesOf(frameWith(Uint8Array.of(...zeros, ...short, ...good, ...cut)))).toHaveLength(1);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        const frame = frameWith(bytes);
        for (const { traceId, parentId } of tracesOf(frame)) {
          expect([traceId, parentId]).toEqual([
            expect.stringMatching(/^[\da-f]{32}$/),
            expect.stringMatching(/^[\da-f]{16}$/),
          ]);
        }
        expect(tracesOf(withoutTraces(frame))).toEqual([]);
      }),
    );
  });
});
