import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { systemClock } from "@meridian/runtime";
import { openReplicaStore, STORE_TUNING_DEFAULT } from "@meridian/store";
import { afterAll, expect, it } from "vitest";
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

  constructor(name: string) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#port.on("message", (reply: WriterReply) => this.#replies.push(reply));
    const tuning = { ...STORE_TUNING_DEFAULT, commitWaitMs: 1 };
    const path = folder.file(name);
    const request = { kind: "open", path, store: "replica", durability: "process" } as const;
    new Writer(port2, { ...request, bytesMax: 0, tuning }, systemClock, replicaJournal).start();
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
  writer.say({ kind: "close" });
  await writer.hear("closed");

  const reopened = await openReplicaStore(folder.options("hole"));
  expect(reopened.summariesAfter(null, 10).map(({ key }) => key)).toEqual(["after the news"]);
  expect(reopened.outboxThrough).toBe(1);
  await reopened.close();
});
