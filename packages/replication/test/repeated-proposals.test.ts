/** Conditions whose answer was lost with the link: they are asked again, and never ordered twice. */
import { MeridianError, type Entry, type NodeMessage, type Stamp } from "@meridian/protocol";
import { describe, expect, it } from "vitest";

import { ScriptedDirectory } from "./scripted-directory.ts";

type Asked = Extract<NodeMessage, { type: "propose" | "barrier" }>;

/** A node that has asked one thing, whose link is lost before the answer, and which another directory of the log has taken in. */
class LostAnswer {
  readonly script = new ScriptedDirectory();
  /** What was answered, once it was: the stamp of the entry that was written, or the code of the failure. */
  answer: string | undefined;

  static async of(ask: "propose" | "barrier"): Promise<LostAnswer> {
    const made = new LostAnswer();
    const { script } = made;
    script.welcome(0);
    await script.settle();
    const { proposals } = script.replica;
    const content = { value: new Uint8Array(1), contentType: "", ttlMs: 0, deleted: false };
    const answer =
      ask === "barrier"
        ? proposals.barrier(5_000).then(() => "read")
        : proposals
            .propose({ key: "k", ...content, ifStamp: null }, 5_000)
            .then(({ stamp }) => `made at ${stamp.time}`);
    void answer
      .catch((cause: unknown) => (cause instanceof MeridianError ? cause.code : String(cause)))
      .then((said) => (made.answer = said));
    await script.settle();
    script.reconnect();
    return made;
  }

  /** What the directories were asked. */
  get asked(): readonly Asked[] {
    return this.script.texts.filter(
      (text): text is Asked => text.type === "propose" || text.type === "barrier",
    );
  }

  get stamp(): Stamp {
    const [first] = this.asked;
    if (first?.type !== "propose") throw new Error("Expected a proposal");
    return { time: first.stamp[0], origin: first.stamp[1] };
  }

  /** The log has a version of the key, and says so of the proposal that came again. */
  async refuse(code: "PRECONDITION_FAILED" | "STAMP_TOO_LOW", stamp: Stamp): Promise<void> {
    const { script } = this;
    const value = new Uint8Array(1);
    const entry: Entry = {
      key: "k",
      value,
      contentType: "",
      stamp,
      expiresAtMs: 0,
      deleted: false,
    };
    script.feed({ after: 0, through: 1, committedThrough: 1, incarnation: 3, position: 1 }, [
      entry,
    ]);
    await this.decide(code, 1);
  }

  async decide(code: "PRECONDITION_FAILED" | "STAMP_TOO_LOW" | null, sequence: number) {
    const { script } = this;
    const nowMs = script.clock.nowMs();
    const id = this.asked.at(-1)?.id ?? 0;
    script.say({ type: "decided", nowMs, id, code, sequence, time: 0, atMs: nowMs, why: "" });
    await script.settle();
  }
}

describe("a proposal whose link is lost", () => {
  it("is proposed again as it was, to the next directory of the same log", async () => {
    const lost = await LostAnswer.of("propose");
    expect(lost.asked).toHaveLength(1);
    lost.script.welcome(0, {
      epoch: 2,
      epochs: [
        [1, 0],
        [2, 0],
      ],
    });
    await lost.script.settle();
    const [first, second] = lost.asked;
    expect(second).toEqual({ ...first, id: 2, nowMs: second?.nowMs });
    expect(lost.answer).toBeUndefined();
  });

  it("was made if the key has its stamp", async () => {
    const lost = await LostAnswer.of("propose");
    lost.script.welcome(0);
    await lost.refuse("PRECONDITION_FAILED", lost.stamp);
    expect(lost.answer).toBe(`made at ${lost.stamp.time}`);
  });

  it("was not made if the key has a lower one", async () => {
    const lost = await LostAnswer.of("propose");
    lost.script.welcome(0);
    await lost.refuse("PRECONDITION_FAILED", { ...lost.stamp, time: lost.stamp.time - 1 });
    expect(lost.answer).toBe("PRECONDITION_FAILED");
  });

  it("may have been made and replaced if the key has a higher one, and is proposed with no other stamp", async () => {
    for (const code of ["PRECONDITION_FAILED", "STAMP_TOO_LOW"] as const) {
      const lost = await LostAnswer.of("propose");
      lost.script.welcome(0);
      await lost.refuse(code, { ...lost.stamp, time: lost.stamp.time + 1 });
      expect([lost.answer, lost.asked.length]).toEqual(["OUTCOME_UNKNOWN", 2]);
    }
  });

  it("has an unknown outcome where the next directory has another log, or none comes in time", async () => {
    const other = await LostAnswer.of("propose");
    other.script.welcome(0, { logId: 8 });
    await other.script.settle();
    const none = await LostAnswer.of("propose");
    none.script.clock.advance(5_000);
    await none.script.settle();
    expect([other, none].map(({ answer, asked }) => [answer, asked.length])).toEqual([
      ["OUTCOME_UNKNOWN", 1],
      ["OUTCOME_UNKNOWN", 1],
    ]);
  });

  it("is given up at once when the node stops", async () => {
    const lost = await LostAnswer.of("propose");
    const stopped = lost.script.replica.stop();
    await lost.script.settle();
    await stopped;
    await lost.script.settle();
    expect(lost.answer).toBe("OUTCOME_UNKNOWN");
  });
});

it("a barrier whose link is lost is asked for again", async () => {
  const lost = await LostAnswer.of("barrier");
  lost.script.welcome(0);
  await lost.script.settle();
  expect(lost.asked.map(({ type }) => type)).toEqual(["barrier", "barrier"]);
  await lost.decide(null, 0);
  expect(lost.answer).toBe("read");
});
