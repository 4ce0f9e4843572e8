import { formatStamp } from "@meridian/protocol";
import { expect, it } from "vitest";

import { Oracle } from "./storm/oracle.ts";

const etag = (time: number): string => `"${formatStamp({ time, origin: 1 })}"`;

it("the newest acknowledged write must be there", () => {
  const oracle = new Oracle();
  oracle.acknowledge("a", "new", etag(2));
  oracle.acknowledge("a", "old", etag(1));
  expect(oracle.keys).toEqual(["a"]);
  expect(oracle.verdict("a", { value: "new", etag: etag(2) })).toBeUndefined();
  expect(oracle.verdict("a", { value: "old", etag: etag(1) })).toMatchObject({ kind: "lost" });
  expect(oracle.verdict("a", { value: "else", etag: etag(2) })).toMatchObject({ kind: "invented" });
  expect(oracle.verdict("a", { value: "else", etag: etag(3) })).toMatchObject({ kind: "invented" });
  expect(oracle.verdict("a", undefined)).toMatchObject({ kind: "lost" });
});

it("an acknowledged delete must not be undone", () => {
  const oracle = new Oracle();
  oracle.acknowledge("a", "old", etag(1));
  oracle.acknowledge("a", undefined, etag(2));
  expect(oracle.verdict("a", undefined)).toBeUndefined();
  expect(oracle.verdict("a", { value: "old", etag: etag(1) })).toMatchObject({
    kind: "resurrected",
  });
});

it("a write without an answer may have been made or not", () => {
  const oracle = new Oracle();
  oracle.acknowledge("a", "old", etag(1));
  oracle.leaveOpen("a", "open");
  oracle.leaveOpen("b", "open");
  for (const held of [
    { value: "old", etag: etag(1) },
    { value: "open", etag: etag(2) },
  ]) {
    expect(oracle.verdict("a", held)).toBeUndefined();
  }
  expect(oracle.verdict("a", undefined)).toMatchObject({ kind: "lost" });
  expect(oracle.verdict("b", undefined)).toBeUndefined();
  oracle.leaveOpen("a", undefined);
  expect(oracle.verdict("a", undefined)).toBeUndefined();
});
