import { MeridianError } from "@meridian/protocol";
import { describe, expect, it } from "vitest";

import { answerOperation, operationsThrough, type Operations } from "../src/operations.ts";

const ROME = {
  id: "rome",
  region: "eu",
  url: "http://rome",
  ip: "10.0.0.1",
  port: 1,
  lat: 42,
  lon: 12.5,
};

const WRITER: Operations = {
  forget: async (id) => {
    if (id === "rome") return { ...ROME, seenAtMs: 5 };
    throw new MeridianError("NODE_NOT_FOUND", `Expected a known node, got ${id}`);
  },
  acceptLoss: async () => ({ why: "a node knew more", sinceMs: 7 }),
};

describe("what an operator asks of a directory that does not order the log", () => {
  const passed = operationsThrough({ ask: (question) => answerOperation(WRITER, question) });

  it("is done by the one that does", async () => {
    expect(await passed.forget("rome")).toEqual({ ...ROME, seenAtMs: 5 });
    expect(await passed.acceptLoss()).toEqual({ why: "a node knew more", sinceMs: 7 });
  });

  it("fails as it fails there", async () => {
    await expect(passed.forget("oslo")).rejects.toMatchObject({
      code: "NODE_NOT_FOUND",
      message: "Expected a known node, got oslo",
    });
    for (const odd of ["{}", "no JSON", '{"operation":"forget"}', "null"]) {
      expect(JSON.parse(await answerOperation(WRITER, odd))).toHaveProperty("problem.code");
    }
  });

  it("fails if the answer is none", async () => {
    for (const answer of ["{}", '{"answer":{}}', "null"]) {
      const odd = operationsThrough({ ask: async () => answer });
      await expect(odd.acceptLoss()).rejects.toMatchObject({ code: "INTERNAL" });
    }
  });
});
