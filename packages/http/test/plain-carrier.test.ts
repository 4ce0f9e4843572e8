import { PlainCarrier, type PlainWrite } from "@meridian/http";
import { SmallArrays } from "@meridian/runtime";
import { describe, expect, it } from "vitest";

describe("the body of a plain write", () => {
  it("is copied once more for a request that may wait for long", () => {
    const body = new SmallArrays().of(3);
    body.set([1, 2, 3]);
    const head = { host: "localhost", headers: new Map([["content-length", "3"]]) };
    const write = { path: "/cache/a?ack=all", body, head } as unknown as PlainWrite;
    const kept = new PlainCarrier(write).body(10);
    expect([...kept]).toEqual([1, 2, 3]);
    expect(kept.buffer.byteLength).toBe(3);
  });
});
