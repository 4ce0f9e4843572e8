import { randomBytes } from "node:crypto";

import { describe, expect, it } from "vitest";
import {
  deleteValue,
  FIVE_PLACES,
  getValue,
  putValue,
  startCluster,
  until,
} from "@meridian/harness";

describe("five regions and a directory", () => {
  it("serve what was set, deleted and expired in one of them everywhere", async () => {
    const cluster = await startCluster(FIVE_PLACES);
    const [first, ...others] = cluster.regions.map(({ url }) => url);
    if (first === undefined) throw new Error("Expected regions");
    expect(others).toHaveLength(4);

    // Every byte there is, a key that needs escaping, and a content type with a parameter.
    const value = Buffer.concat([Uint8Array.from(Array(256).keys()), randomBytes(50_000)]);
    const key = "photos/été 1/100%?.png";
    const contentType = 'image/png; name="a b"';
    const { etag, position } = await putValue(first, key, value, { contentType });
    for (const url of [first, ...others]) {
      const there = await getValue(url, key, position);
      expect(Buffer.compare(there?.value ?? Buffer.of(), value)).toBe(0);
      expect(there?.contentType).toBe(contentType);
      expect(there?.etag).toBe(etag);
    }

    const deleted = await deleteValue(others[0] ?? "", key);
    for (const url of [first, ...others]) {
      expect(await getValue(url, key, deleted.position)).toBeUndefined();
    }

    // That none is gone sooner is for the tests whose clock stands still.
    const short = await putValue(first, "short", "lived", { ttl: "2s" });
    for (const url of others) {
      expect(await getValue(url, "short", short.position)).toBeDefined();
    }
    await Promise.all(
      [first, ...others].map((url) =>
        until("the value has expired", async () => (await getValue(url, "short")) === undefined),
      ),
    );
    await cluster.converged(2);
  });
});
