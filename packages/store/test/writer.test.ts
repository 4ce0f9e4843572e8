import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { systemClock, type Clock } from "@meridian/runtime";
import { openReplicaStore, STORE_TUNING_DEFAULT, type StoreTuning } from "@meridian/store";
import { ManualClock } from "@meridian/testkit";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import type { ReplicaWrite, WriterReply, WriterRequest } from "../src/writer-messages.ts";
import { replicaJournal } from "../src/replica-journal.ts";
import { Writer } from "../src/writer.ts";
import { entry, localWrite } from "./records.ts";
import { StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

function write(position: number, key: string): ReplicaWrite {
  return localWrite(position, [entry(key, position)]);
}

/** A writer in this thread. The test decides when it handles each message. */
class Conversation {
  readonly #port;
  readonly #replies: WriterReply[] = [];

  constructor(name: string, clock: Clock = systemClock, tuned: Partial<StoreTuning> = {}) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#port.on("message", (reply: WriterReply) => this.#replies.push(reply));
    const tuning = { ...STORE_TUNING_DEFAULT, commitWaitMs: 1, ...tuned };
    const path = folder.file(name);
    const request = { kind: "open", path, store: "replica", durability: "process" } as const;
    new Writer(port2, { ...request, bytesMax: 0, tuning }, clock, replicaJournal).start();
  }

  /** The replies that were not asked for yet, by their kinds. */
  get heard(): string[] {
    return this.#replies.map(({ kind }) => kind);
  }

  async close(): Promise<void> {
    this.say({ kind: "close" });
    await this.hear("closed");
  }

  say(request: WriterRequest): void {
    this.#port.postMessage(request);
  }

  /** Resolves to the next reply of `kind`. Drops the replies before it. */
  async hear(kind: WriterReply["kind"]): Promise<WriterReply> {
    for (;;) {
      const index = this.#replies.findIndex((reply) => reply.kind === kind);
      const found = this.#replies[index];
      if (found !== undefined) {
        this.#replies.splice(0, index + 1);
        return found;
      }
      await once(this.#port, "message");
    }
  }
}

it("commits nothing that the owner sent before it had heard of a failure, even if there is room again", async () => {
  await (await openReplicaStore(folder.options("hole"))).close();
  const writer = new Conversation("hole");
  const resume = folder.hold("hole");
  writer.say({ kind: "append", generation: 0, write: write(1, "fails") });
  expect(await writer.hear("failed")).toMatchObject({ generation: 1, code: "OVERLOADED" });
  resume();
  writer.say({ kind: "append", generation: 0, write: write(2, "behind the hole") });
  writer.say({ kind: "append", generation: 1, write: write(1, "after the news") });
  expect(await writer.hear("committed")).toMatchObject({ count: 1, journalRows: 1 });
  await writer.close();

  const reopened = await openReplicaStore(folder.options("hole"));
  expect(reopened.summariesAfter(null, 10).map(({ key }) => key)).toEqual(["after the news"]);
  expect(reopened.outboxThrough).toBe(1);
  await reopened.close();
});

describe("the journal is folded", () => {
  /** A writer of an empty database, whose clock stands still, and that has had time for all that it would do now. */
  const start = async (
    name: string,
    tuned: Partial<StoreTuning>,
  ): Promise<{ writer: Conversation; pass: (ms: number) => Promise<void> }> => {
    await (await openReplicaStore(folder.options(name))).close();
    const clock = new ManualClock();
    const writer = new Conversation(name, clock, tuned);
    onTestFinished(() => writer.close());
    await writer.hear("opened");
    const pass = async (ms: number): Promise<void> => {
      clock.advance(ms);
      for (let turn = 0; turn < 10; turn += 1) await new Promise((done) => setImmediate(done));
    };
    await pass(10);
    return { writer, pass };
  };

  it("once it is old, and not before", async () => {
    const { writer, pass } = await start("aging", { foldAfterMs: 2_000 });
    for (let position = 1; position <= 3; position += 1) {
      writer.say({ kind: "append", generation: 0, write: write(position, "again") });
      await writer.hear("committed");
      await pass(600);
    }
    expect(writer.heard).not.toContain("folded");
    await pass(300);
    expect(await writer.hear("folded")).toMatchObject({ through: 3 });
    writer.say({ kind: "append", generation: 0, write: write(4, "again") });
    await writer.hear("committed");
    await pass(1_900);
    expect(writer.heard).not.toContain("folded");
    await pass(200);
    expect(await writer.hear("folded")).toMatchObject({ through: 4 });
  });

  it("once it is large, as soon as no commit comes", async () => {
    const { writer, pass } = await start("large", { foldAfterMs: 60_000, foldBytes: 10_000 });
    writer.say({ kind: "append", generation: 0, write: write(1, "small") });
    await writer.hear("committed");
    await pass(10);
    expect(writer.heard).not.toContain("folded");
    const large = localWrite(2, [entry("large", 2, 20_000)]);
    writer.say({ kind: "append", generation: 0, write: large });
    await writer.hear("committed");
    await pass(10);
    expect(await writer.hear("folded")).toMatchObject({ through: 2 });
  });

  it("at once where that is asked for", async () => {
    const { writer, pass } = await start("asked", { foldAfterMs: 60_000 });
    writer.say({ kind: "append", generation: 0, write: write(1, "a") });
    writer.say({ kind: "settle" });
    await writer.hear("committed");
    await pass(0);
    expect(await writer.hear("folded")).toMatchObject({ through: 1 });
  });
});
