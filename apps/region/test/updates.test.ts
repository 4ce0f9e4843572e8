import { MeridianError, type Entry } from "@meridian/protocol";
import type { Content } from "@meridian/replication";
import { afterEach, beforeEach, expect, it } from "vitest";

import { testNode, type TestNode } from "./harness.ts";

const ACK = { level: "local", timeoutMs: 1_000 } as const;

let region: TestNode;

beforeEach(async () => {
  region = await testNode({ valueBytesMax: 100 });
});

afterEach(() => region.close());

function textOf(entry: Entry | undefined): string {
  return new TextDecoder().decode(entry?.value);
}

function contentOf(text: string): Content {
  const value = new TextEncoder().encode(text);
  return { value, contentType: "text/plain", ttlMs: 0, deleted: false };
}

function increment(live: Entry | undefined): Content {
  return contentOf(String(Number(textOf(live)) + 1));
}

function update(
  key: string,
  make: (live: Entry | undefined) => Content | undefined,
): Promise<readonly Entry[]> {
  const { writes } = region.node.service;
  return writes.update(key, make, 10, ACK).then(({ entries }) => entries);
}

async function valueOf(key: string): Promise<string> {
  return (await region.request(`/cache/${key}`)).text();
}

it("a thousand increments at once count to a thousand, in the store and in memory", async () => {
  const values = new Set<string>();
  const written = Array.from({ length: 1_000 }, async () => {
    const [entry] = await update("n", increment);
    values.add(textOf(entry));
  });
  await region.settle(Promise.all(written));
  expect(values.size).toBe(1_000);
  const answer = await region.request("/cache/n");
  expect([answer.headers.get("meridian-cache"), await answer.text()]).toEqual(["memory", "1000"]);
  const { entries } = region.node.contents.entryPage({ after: null, through: null, limit: 9 }) as {
    readonly entries: readonly unknown[];
  };
  expect(entries).toHaveLength(1);
});

it("an update sees nothing of what has been deleted or has expired, and may delete", async () => {
  await region.settle(update("k", () => ({ ...contentOf("7"), ttlMs: 1_000 })));
  region.clock.advance(1_000);
  await region.settle(update("k", increment));
  expect(await valueOf("k")).toBe("1");
  await region.settle(update("k", (live) => live && { ...contentOf(""), deleted: true }));
  expect((await region.request("/cache/k")).status).toBe(404);
  await region.settle(update("k", increment));
  expect(await valueOf("k")).toBe("1");
});

it("an update that makes nothing, too much, or refuses leaves the key as it is", async () => {
  await region.settle(update("k", () => contentOf("7")));
  expect(await region.settle(update("k", () => undefined))).toEqual([]);
  const makers = [
    () => contentOf("x".repeat(101)),
    () => ({ ...contentOf("x"), contentType: "" }),
    () => {
      throw new MeridianError("PRECONDITION_FAILED", "Expected a number");
    },
  ];
  const codes: unknown[] = [];
  for (const make of makers) {
    await region.settle(
      update("k", make).catch(({ code }: MeridianError) => codes.push(code)) as Promise<unknown>,
    );
  }
  expect(codes).toEqual(["VALUE_TOO_LARGE", "INVALID_ARGUMENT", "PRECONDITION_FAILED"]);
  expect(await valueOf("k")).toBe("7");
  expect(() => update("", increment)).toThrow(MeridianError);
});
