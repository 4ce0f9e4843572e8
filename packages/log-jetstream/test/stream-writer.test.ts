import { silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { Lineage } from "../src/lineage.ts";
import { StreamWriter } from "../src/stream-writer.ts";
import { MemoryServer, type MemoryStream } from "./memory-stream.ts";

/** A writer, its stream, and what it has been told. */
class Scene {
  readonly server = new MemoryServer();
  readonly clock = new ManualClock();
  readonly stream: MemoryStream = this.server.connect();
  readonly stored: number[] = [];
  readonly failed: string[] = [];
  readonly lost: string[] = [];
  /** Since when the stream had given no answer, each time that the writer said so. */
  readonly cutOff: number[] = [];
  readonly writer = this.write();

  write(): StreamWriter {
    const { stream, clock } = this;
    const onLost = ({ code }: { code: string }): void => void this.lost.push(code);
    const onCutOff = (sinceMs: number): void => void this.cutOff.push(sinceMs);
    const told = { logger: silentLogger, onLost, onCutOff };
    const last = { sequence: 0, id: "" };
    return new StreamWriter({ stream, clock, epoch: 10, last, ...told });
  }

  append(count: number, bytes = 1): void {
    for (let each = 0; each < count; each += 1) {
      this.writer.append(new Uint8Array(bytes), (failure, { sequence }) => {
        if (failure === undefined) this.stored.push(sequence);
        else this.failed.push(failure.code);
      });
    }
  }

  /** Lets all answers come that are on their way, and time pass. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed <= ms; passed += 50) {
      for (let turn = 0; turn < 20; turn += 1) await new Promise((done) => setImmediate(done));
      if (passed < ms) this.clock.advance(50);
    }
  }

  get ids(): readonly string[] {
    return this.server.messages.map(({ id }) => id);
  }
}

/** The ids of messages of the epoch 10, each at the place of its number. */
const numbered = (from: number, through: number): readonly string[] =>
  Array.from({ length: through - from + 1 }, (_, index) => `a-${from + index}-${from + index}`);

describe("the writer of a stream", () => {
  it("stores messages in their order, and tells each one's sequence once", async () => {
    const scene = new Scene();
    scene.append(5);
    expect(scene.stored).toEqual([]);
    await scene.pass(0);
    expect(scene.stored).toEqual([1, 2, 3, 4, 5]);
    expect(scene.ids).toEqual(numbered(1, 5));
    expect(scene.writer.stall).toBeUndefined();
  });

  it("has no more bytes on their way than its window, and one message at least", async () => {
    const scene = new Scene();
    scene.append(3, 3 * 1024 * 1024);
    expect(scene.stream.published).toEqual(["a-1-1"]);
    scene.append(1, 9 * 1024 * 1024);
    await scene.pass(0);
    expect(scene.stored).toEqual([1, 2, 3, 4]);
  });

  it("sends the begin of its epoch while nothing else is on its way", async () => {
    const scene = new Scene();
    scene.append(2);
    scene.writer.append(new Uint8Array(1), () => {}, "epoch");
    scene.append(2);
    expect(scene.stream.published).toEqual(["a-1-1", "a-2-2"]);
    await scene.pass(0);
    expect(scene.ids).toEqual(numbered(1, 5));
    expect(scene.server.messages.map(({ subject }) => subject).indexOf("epoch")).toBe(2);
    expect([scene.stored, scene.lost]).toEqual([[1, 2, 4, 5], []]);
  });

  it.each(["lost", "stored"] as const)(
    "goes on after a message that was %s and not acknowledged, without a gap or a double",
    async (fault) => {
      const scene = new Scene();
      scene.stream.faults.push(fault);
      scene.append(4);
      await scene.pass(1_000);
      expect(scene.stored).toEqual([1, 2, 3, 4]);
      expect(scene.ids).toEqual(numbered(1, 4));
      expect([scene.failed, scene.lost, scene.writer.stall]).toEqual([[], [], undefined]);
    },
  );

  it("says that it stalls while the stream has no leader, and stores what waits afterwards", async () => {
    const scene = new Scene();
    scene.append(2);
    await scene.pass(0);
    scene.server.isDown = true;
    scene.append(3);
    await scene.pass(7_000);
    expect(scene.writer.stall?.message).toContain("nodes keep their writes");
    expect(scene.stored).toEqual([1, 2]);
    scene.server.isDown = false;
    await scene.pass(1_000);
    expect(scene.stored).toEqual([1, 2, 3, 4, 5]);
    expect(scene.writer.stall).toBeUndefined();
  });
});

describe("the writer of a stream that gives no answer", () => {
  it("says every twenty seconds that the stream gives no answer, and begins anew with the next answer", async () => {
    const scene = new Scene();
    scene.append(1);
    await scene.pass(5_000);
    const sinceMs = scene.clock.elapsedMs();
    scene.server.isDown = true;
    await scene.pass(15_000);
    expect(scene.cutOff).toEqual([]);
    await scene.pass(30_000);
    expect(scene.cutOff).toHaveLength(2);
    for (const said of scene.cutOff) expect(Math.abs(said - sinceMs)).toBeLessThan(3_000);
    scene.server.isDown = false;
    await scene.pass(30_000);
    expect(scene.cutOff).toHaveLength(2);
  });

  it("is not cut off from a stream that refuses every message", async () => {
    const scene = new Scene();
    scene.stream.faults.push(...Array.from({ length: 500 }, () => "lost" as const));
    scene.append(1);
    await scene.pass(60_000);
    expect([scene.writer.stall === undefined, scene.cutOff]).toEqual([false, []]);
  });
});

describe("the writer of a stream that is not its own", () => {
  it("fails for ever once another writer has appended, what waits included", async () => {
    const scene = new Scene();
    scene.append(2);
    await scene.pass(0);
    const other = { subject: "epoch", id: "b-0-1", data: new Uint8Array(1) } as const;
    await scene.server.connect().publish(other, 2);
    scene.append(2);
    await scene.pass(1_000);
    expect(scene.failed).toEqual(["STORE_IN_USE", "STORE_IN_USE"]);
    expect(scene.lost).toEqual(["STORE_IN_USE"]);
    scene.append(1);
    await scene.pass(0);
    expect(scene.failed).toHaveLength(3);
    // The condition of the last one was true by chance. Nobody counts it, and it was not acknowledged.
    expect(scene.ids).toEqual(["a-1-1", "a-2-2", "b-0-1", "a-4-4"]);
  });

  it("sends its messages for other places where an older writer's message lies, and stores none twice", async () => {
    const scene = new Scene();
    const older = { subject: "log", id: "9-7-2", data: new Uint8Array(1) } as const;
    scene.append(1);
    await scene.pass(0);
    await scene.server.connect().publish(older, 1);
    scene.append(3);
    await scene.pass(2_000);
    expect(scene.stored.length).toBe(4);
    const lineage = new Lineage("a-0-0");
    const counted = scene.server.messages.filter((message) => lineage.counts(message));
    expect(counted.map(({ sequence }) => sequence)).toEqual(scene.stored);
    expect([scene.failed, scene.lost, scene.writer.stall]).toEqual([[], [], undefined]);
  });

  it("notices another writer although it has nothing to append", async () => {
    const scene = new Scene();
    const other = { subject: "epoch", id: "b-0-1", data: new Uint8Array(1) } as const;
    await scene.server.connect().publish(other, 0);
    await scene.pass(4_000);
    expect(scene.lost).toEqual(["STORE_IN_USE"]);
  });

  it("ends when the stream has lost what it had acknowledged, but not while a new leader may still read it", async () => {
    const scene = new Scene();
    scene.append(3);
    await scene.pass(0);
    const kept = [...scene.server.messages];
    scene.server.cut(1);
    await scene.pass(6_000);
    expect([scene.lost, scene.writer.stall === undefined]).toEqual([[], false]);
    scene.server.messages = kept;
    await scene.pass(4_000);
    expect(scene.writer.stall).toBeUndefined();
    scene.server.cut(1);
    await scene.pass(16_000);
    expect(scene.lost).toEqual(["STORE_FAILED"]);
  });
});

describe("a writer", () => {
  it("that was cut off until another one had trimmed the stream behind its epoch, has lost it", async () => {
    const scene = new Scene();
    scene.append(2);
    await scene.pass(0);
    scene.server.isDown = true;
    scene.append(1);
    await scene.pass(2_000);
    const { messages } = scene.server;
    for (let sequence = 3; sequence <= 9; sequence += 1) {
      const [number, subject] = [sequence - 3, sequence === 3 ? "epoch" : "log"] as const;
      messages.push({ sequence, subject, id: `b-${number}-${sequence}`, data: new Uint8Array(1) });
    }
    scene.server.first = 7;
    scene.server.isDown = false;
    await scene.pass(2_000);
    expect([scene.failed, scene.lost]).toEqual([["STORE_IN_USE"], ["STORE_IN_USE"]]);
  });
});

describe("the writer of a stream that was set back, and to which another one has given the same numbers", () => {
  async function replaced(): Promise<Scene> {
    const scene = new Scene();
    scene.append(2);
    await scene.pass(0);
    scene.server.cut(1);
    const begin = { sequence: 2, subject: "epoch", id: "b-0-2", data: new Uint8Array(1) } as const;
    scene.server.messages.push(begin);
    return scene;
  }

  it("has lost it, although it has nothing to append", async () => {
    const scene = await replaced();
    await scene.pass(2_000);
    expect(scene.lost).toEqual(["STORE_IN_USE"]);
  });

  it("stores nothing there after its process has hung", async () => {
    const scene = await replaced();
    const { clock } = scene;
    const elapsedMs = clock.elapsedMs.bind(clock);
    clock.elapsedMs = () => elapsedMs() + 3_000;
    scene.append(1);
    await scene.pass(0);
    expect([scene.stored, scene.failed]).toEqual([[1, 2], ["STORE_IN_USE"]]);
    expect(scene.ids).toEqual(["a-1-1", "b-0-2"]);
  });

  it("believes no acknowledgement that comes after its process has hung", async () => {
    const scene = await replaced();
    const { clock } = scene;
    scene.append(1);
    const elapsedMs = clock.elapsedMs.bind(clock);
    clock.elapsedMs = () => elapsedMs() + 3_000;
    await scene.pass(0);
    expect([scene.stored, scene.failed]).toEqual([[1, 2], ["STORE_IN_USE"]]);
  });
});
