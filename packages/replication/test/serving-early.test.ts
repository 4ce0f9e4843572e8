/** Which frames of its nodes a directory beside the writer gives to their neighbours before they are ordered. */
import {
  blockOf,
  capabilities,
  EARLY,
  encodeTraces,
  FRAME_KIND,
  tracesOf,
  type Entry,
  type FrameHeader,
} from "@meridian/protocol";
import { frameWith } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import type { HelloParts, TestLink } from "./rig.ts";
import { ServingRig } from "./serving-rig.ts";

interface Neighbours {
  readonly rig: ServingRig;
  readonly writing: TestLink;
  readonly reading: TestLink;
}

function neighbours(hello: HelloParts = {}): Neighbours {
  const rig = new ServingRig();
  const [writing, reading] = [rig.join("writing", 1), rig.join("reading", 2, hello)];
  rig.serving.onRegistry(rig.writer.directory.registry);
  return { rig, writing, reading };
}

const early = ({ frames }: TestLink): readonly FrameHeader[] =>
  frames.flatMap(({ header }) => (header.kind === FRAME_KIND.early ? [header] : []));

const positions = (link: TestLink): readonly number[] =>
  early(link).map(({ position }) => position);

describe("a directory beside the writer gives a frame to the neighbours of its node", () => {
  it("before it is ordered, and again when it is", () => {
    const { rig, writing, reading } = neighbours();
    rig.submit(writing, 1, 1, "a");
    expect(early(reading)).toMatchObject([
      { incarnation: 1, position: 1, count: 1, after: 0, through: 0, committedThrough: 0 },
    ]);
    expect([writing.frames, rig.serving.head]).toEqual([[], 0]);
    expect(rig.metrics.sumOf("meridian_early_frames_total")).toBe(1);
    rig.stream();
    expect(reading.frames.at(-1)?.header).toMatchObject({ kind: FRAME_KIND.entries, through: 1 });
    expect(early(writing)).toEqual([]);
  });

  it("without its traces, and without the wish of its sender to hear who has it", () => {
    const { rig, writing, reading } = neighbours();
    const trace = { traceId: "1".repeat(32), parentId: "2".repeat(16), sampled: true, state: "" };
    const traces = encodeTraces([trace]);
    const header = { sentAtMs: 0, incarnation: 1, position: 1, reportApplied: true };
    const plain = frameWith(header, [rig.writer.entry("a")]);
    const traced = Buffer.concat([plain.subarray(0, 64), traces, plain.subarray(64)]);
    new DataView(traced.buffer, traced.byteOffset).setUint16(2, traces.byteLength, true);
    writing.events?.onMessage(traced);
    const [frame] = reading.frames;
    expect(frame?.header).toMatchObject({ kind: FRAME_KIND.early, reportApplied: false });
    expect(frame && [tracesOf(frame.bytes), blockOf(frame.bytes)]).toEqual([
      [],
      plain.subarray(64),
    ]);
  });

  it("while no directory writes the log", () => {
    const { rig, writing, reading } = neighbours();
    for (const link of [writing, reading]) rig.beat(link);
    rig.uplink.lose();
    rig.serving.onUp(false);
    rig.submit(writing, 1, 1, "a");
    expect(positions(reading)).toEqual([1]);
  });

  it("once, though its node sends it again", () => {
    const { rig, writing, reading } = neighbours();
    rig.submit(writing, 1, 1, "a");
    rig.stream();
    writing.close(1006, "");
    rig.submit(rig.join("writing", 1), 1, 1, "a");
    expect(positions(reading)).toEqual([1]);
  });
});

describe("a frame waits for its place in the log", () => {
  const entryOf = (more: Partial<Entry>): ((rig: ServingRig) => Entry) => {
    return (rig) => ({ ...rig.writer.entry("a"), ...more });
  };
  it.each<[string, (rig: ServingRig) => Entry, Partial<FrameHeader>]>([
    ["whose stamps may be refused", (rig) => rig.writer.entry("a", 10_001), {}],
    ["that is large", (rig) => rig.writer.entry("a", 0, 65_536), {}],
    ["with attributes", entryOf({ attributes: new Uint8Array([9, 0, 0, 0]) }), {}],
    ["with a reserved key", entryOf({ key: "\u0000a" }), {}],
    ["before which others may be missing", entryOf({}), { incomplete: true }],
    ["that is not the next of its outbox", entryOf({}), { position: 2 }],
    ["of another outbox", entryOf({}), { incarnation: 3 }],
    ["that is none", entryOf({}), { highestTime: 5 }],
  ])("%s", (_, make, header) => {
    const { rig, writing, reading } = neighbours();
    rig.writer.submit(writing, 1, 1, [make(rig)], header);
    expect(early(reading)).toEqual([]);
  });

  it("that the horizon has reached", () => {
    const { rig, writing, reading } = neighbours();
    const entry = rig.writer.entry("a");
    rig.saveHorizon({ horizon: entry.stamp.time, frozenUntilMs: 0, marks: [] });
    rig.writer.submit(writing, 1, 1, [entry]);
    expect(early(reading)).toEqual([]);
  });

  it("and so do those behind one that may be refused, until it is sent again", () => {
    const { rig, writing, reading } = neighbours();
    rig.writer.submit(writing, 1, 1, [rig.writer.entry("ahead", 10_001)]);
    rig.submit(writing, 1, 2, "a");
    expect(positions(reading)).toEqual([]);
    rig.clock.advance(2);
    rig.writer.submit(writing, 1, 1, [rig.writer.entry("ahead")]);
    rig.submit(writing, 1, 2, "a");
    expect(positions(reading)).toEqual([2]);
  });

  it("and so do those behind one that is not known to be admitted, until the stream says so, however many are on their way", () => {
    const { rig, writing, reading } = neighbours();
    rig.clock.advance(1_000);
    for (const link of [writing, reading]) rig.beat(link);
    rig.writer.submit(writing, 1, 1, [rig.writer.entry("ahead", 9_500)]);
    rig.submit(writing, 1, 2, "a");
    expect(positions(reading)).toEqual([]);
    rig.admit(10_000);
    rig.submit(writing, 1, 3, "b");
    expect(positions(reading)).toEqual([3]);
  });

  it("but not those behind one that only waits", () => {
    const { rig, writing, reading } = neighbours();
    rig.writer.submit(writing, 1, 1, [rig.writer.entry("large", 0, 65_536)]);
    rig.submit(writing, 1, 2, "a");
    expect(positions(reading)).toEqual([2]);
  });
});

describe("a neighbour gets no frame before it is ordered", () => {
  it("that has not said that it takes such", () => {
    const features = capabilities(EARLY);
    const { rig, writing, reading } = neighbours(features);
    rig.submit(writing, 1, 1, "a");
    expect(reading.frames).toEqual([]);
  });

  it("while any node of the cluster does not, and would not know the position that names it", () => {
    const { rig, writing, reading } = neighbours();
    rig.writer.join("older", 3, capabilities(EARLY));
    rig.serving.onRegistry(rig.writer.directory.registry);
    rig.submit(writing, 1, 1, "a");
    expect(reading.frames).toEqual([]);
  });

  it("that is behind, or whose link is full", () => {
    const { rig, writing, reading } = neighbours();
    reading.bufferedBytes = 5 * 1024 * 1024;
    rig.submit(writing, 1, 1, "a");
    rig.stream();
    reading.bufferedBytes = 0;
    rig.submit(writing, 1, 2, "b");
    expect(reading.frames).toEqual([]);
    reading.drain();
    rig.submit(writing, 1, 3, "c");
    expect(reading.frames.map(({ header }) => [header.kind, header.position])).toEqual([
      [FRAME_KIND.entries, 1],
      [FRAME_KIND.early, 3],
    ]);
  });
});
