import {
  encodeBlock,
  stampTimeOf,
  tombstone,
  type Entry,
  type ReplicaRecord,
} from "@meridian/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { headerOf, jsonOf, testNode, type TestNode } from "./harness.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const time = stampTimeOf(NOW - 3_600_000);

function entryOf(key: string, given: Partial<Entry> = {}): Entry {
  const value = new TextEncoder().encode(`value of ${key}`);
  const stamp = { time, origin: 5 };
  return { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false, ...given };
}

/** Three entries that were live here, and that the cluster has deleted. */
function quarantining(): ReplicaRecord {
  const entries = [
    entryOf("a"),
    entryOf("soon", { expiresAtMs: NOW + 60_000 }),
    entryOf("bytes", { value: Uint8Array.of(0xff, 0), contentType: "image/png" }),
  ];
  const burials = entries.map(({ key }) => tombstone(key, { time, origin: 2 ** 48 - 1 }));
  return {
    kind: "remote",
    entries: burials,
    block: encodeBlock(burials),
    highestTime: time,
    quarantined: { entries, atMs: NOW - 1_000 },
  };
}

let region: TestNode;
beforeEach(async () => {
  region = await testNode({ records: [quarantining()] });
});
afterEach(() => region.close());

const ask = (target: string, method = "GET", headers = {}): Promise<Response> =>
  region.request(target, { method, headers });

const listed = async (query = ""): Promise<unknown[]> => {
  const { entries, next, size } = await jsonOf(await ask(`/quarantine${query}`));
  return [...(entries as { key: string }[]).map(({ key }) => key), next, size];
};

describe("the quarantine", () => {
  it("is listed in pages, oldest first, with what is known of each entry", async () => {
    expect(await listed()).toEqual(["a", "soon", "bytes", null, 3]);
    expect(await listed("?limit=2")).toEqual(["a", "soon", 2, 3]);
    expect(await listed("?after=2&limit=2")).toEqual(["bytes", null, 3]);
    const { entries } = await jsonOf(await ask("/quarantine?after=1&limit=1"));
    expect(entries).toEqual([
      {
        id: 2,
        key: "soon",
        bytes: 13,
        contentType: "text/plain",
        etag: expect.stringMatching(/^"[0-9a-z]+-5"$/) as unknown,
        expiresAtMs: NOW + 60_000,
        quarantinedAtMs: NOW - 1_000,
      },
    ]);
  });

  it("shows one entry with its value, as text or as base64", async () => {
    const [text, bytes] = await Promise.all([ask("/quarantine/1"), ask("/quarantine/3")]);
    expect(await jsonOf(text)).toMatchObject({ value: "value of a", encoding: "utf8" });
    expect(await jsonOf(bytes)).toMatchObject({ value: "/wA=", contentType: "image/png" });
  });

  it("is served by no read", async () => {
    expect((await ask("/cache/a")).status).toBe(404);
  });
});

describe("a replay", () => {
  it("writes the entry anew, with the expiry it had, and takes it out", async () => {
    const replayed = await ask("/quarantine/2/replay", "POST");
    expect(await jsonOf(replayed)).toMatchObject({ id: 2, key: "soon", expiresAtMs: NOW + 60_000 });
    const read = await ask("/cache/soon");
    expect(await read.text()).toBe("value of soon");
    expect(headerOf(read, "etag")).toBe(headerOf(replayed, "etag"));
    expect(await listed()).toEqual(["a", "bytes", null, 2]);
    expect(await jsonOf(await ask("/quarantine/2/replay", "POST"))).toMatchObject({
      code: "QUARANTINED_NOT_FOUND",
      status: 404,
    });
  });

  it("is refused where the key has a value again, if it is asked not to replace one", async () => {
    await region.request("/cache/a", { method: "PUT", body: "newer" });
    const refused = await ask("/quarantine/1/replay", "POST", { "if-none-match": "*" });
    expect(await jsonOf(refused)).toMatchObject({ code: "PRECONDITION_FAILED" });
    expect(await (await ask("/cache/a")).text()).toBe("newer");
    expect((await ask("/quarantine/1/replay", "POST")).status).toBe(200);
    expect(await (await ask("/cache/a")).text()).toBe("value of a");
  });

  it("is refused once the entry has expired", async () => {
    region.clock.advance(60_000);
    expect(await jsonOf(await ask("/quarantine/2/replay", "POST"))).toMatchObject({
      code: "QUARANTINED_EXPIRED",
      status: 410,
    });
    expect(await listed()).toContain("soon");
  });
});

describe("what is dropped", () => {
  it("is gone for good", async () => {
    expect(await jsonOf(await ask("/quarantine/1", "DELETE"))).toEqual({ id: 1, dropped: true });
    expect(await listed()).toEqual(["soon", "bytes", null, 2]);
    expect((await ask("/quarantine/1", "DELETE")).status).toBe(404);
  });
});

describe("a request for the quarantine", () => {
  it("is refused for an id that is none, a method it does not take, and a page of another origin", async () => {
    for (const id of ["0", "x", "1.5", "99", "1/value"]) {
      expect((await ask(`/quarantine/${id}`)).status).toBe(404);
    }
    expect((await ask("/quarantine/1", "PUT")).status).toBe(405);
    expect((await ask("/quarantine/1/replay")).status).toBe(405);
    const page = { origin: "http://elsewhere.example" };
    expect((await ask("/quarantine/1", "DELETE", page)).status).toBe(403);
    expect((await ask("/quarantine/1/replay", "POST", page)).status).toBe(403);
  });
});
