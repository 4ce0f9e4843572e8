/** Commits on the writer thread: which of them fold what they bring, and what becomes of one that cannot. */
import { systemClock } from "@meridian/runtime";
import { expect, it } from "vitest";

import { Commits, type CommitsOptions } from "../src/commits.ts";
import type { ReplicaCommit, ReplicaWrite, WriterReply } from "../src/writer-messages.ts";
import { entry, localWrite } from "./records.ts";

interface Rig {
  readonly commits: Commits<ReplicaWrite, ReplicaCommit>;
  /** What has happened, in order. */
  readonly log: string[];
}

function rigOf(fold: () => void = () => {}, isPossible = true): Rig {
  const log: string[] = [];
  const written: number[] = [];
  const options = {
    path: "none",
    clock: systemClock,
    journal: {
      rows: 0,
      facts: {},
      write: (write: ReplicaWrite) => written.push("id" in write ? Number(write.id) : 0),
    },
    transactions: {
      run: (_: string, change: () => void) => {
        written.length = 0;
        change();
        log.push(`committed ${written.join(" ")}`);
      },
    },
    checkpointer: { relieve: () => false },
    room: { isFor: () => true, spend: () => {}, measure: () => {} },
    redo: { mark: () => {}, writeEnd: () => {}, committed: () => {}, creditBytes: () => 1 },
    along: {
      isPossible,
      fold: () => {
        log.push("fold");
        fold();
      },
      committed: () => log.push("folded"),
      rolledBack: () => log.push("rolled back"),
    },
    synchronous: "NORMAL",
    isPatient: false,
    reply: ({ kind }: WriterReply<ReplicaCommit>) => log.push(kind),
    onFailed: () => log.push("failed"),
    onCommitted: () => {},
    onRetry: () => {},
  };
  const commits = new Commits<ReplicaWrite, ReplicaCommit>(
    options as unknown as CommitsOptions<ReplicaWrite, ReplicaCommit>,
  );
  return { commits, log };
}

const write = (id: number, bytes = 8): ReplicaWrite => localWrite(id, [entry(`k${id}`, id, bytes)]);

it("a few records of a redo file are folded in the transaction that commits them", () => {
  const { commits, log } = rigOf();
  commits.takeRedo(1, write(1));
  commits.takeRedo(2, write(2));
  commits.run();
  expect(log).toEqual(["fold", "committed 1 2", "redone", "folded"]);
});

it("records that somebody waits for are not, nor are many bytes, nor those behind others that wait to be folded", () => {
  const awaited = rigOf();
  awaited.commits.takeRedo(1, write(1));
  awaited.commits.take(0, write(2));
  awaited.commits.run();
  expect(awaited.log).toEqual(["committed 1 2", "redone", "committed"]);
  const many = rigOf();
  many.commits.takeRedo(1, write(1, 40_000));
  many.commits.takeRedo(2, write(2, 40_000));
  many.commits.run();
  expect(many.log).toEqual(["committed 1 2", "redone"]);
  const behind = rigOf(() => {}, false);
  behind.commits.takeRedo(1, write(1));
  behind.commits.run();
  expect(behind.log).toEqual(["committed 1", "redone"]);
});

it("records that cannot be folded are committed all the same", () => {
  const { commits, log } = rigOf(() => {
    throw new Error("Expected a block, got something else");
  });
  commits.takeRedo(1, write(1));
  commits.run();
  expect(log).toEqual(["fold", "rolled back", "committed 1", "redone"]);
  expect(commits.isStalled).toBe(false);
});
