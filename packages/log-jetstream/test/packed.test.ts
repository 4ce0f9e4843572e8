/** Messages of several records. */
import { openDirectoryLog, type StreamPlace } from "@meridian/store";
import { describe, expect, it } from "vitest";

import { decodeRecord, RecordParts } from "../src/records.ts";
import { applyRecord } from "../src/stream-log.ts";
import { append, entry, open, promised, serverOf, storeOptions, told } from "./memory-logs.ts";

const FRAMES = 500;

describe("a log whose stream is behind", () => {
  it("puts many frames into few messages, from which another machine makes the same log", async () => {
    const first = await open("packed", "packed-1");
    await promised((done) => first.admit(9_000, done));
    const keys = Array.from({ length: FRAMES }, (_, after) => `key/${after}`);
    await Promise.all(keys.map((key, after) => append(first, after, [entry(key, after + 1)])));
    expect(serverOf("packed").messages.length).toBeLessThan(50);
    const before = await told(first);
    expect(first.committedThrough).toBe(FRAMES);
    await first.abort();
    const second = await open("packed", "packed-2");
    expect(await told(second)).toEqual(before);
    await second.abort();
  });

  it("applies the rest of a message of which a database has some records", async () => {
    const first = await open("halved", "halved-1");
    await promised((done) => first.admit(9_000, done));
    const keys = Array.from({ length: 40 }, (_, after) => `key/${after}`);
    await Promise.all(keys.map((key, after) => append(first, after, [entry(key, after + 1)])));
    const before = await told(first);
    await first.abort();

    const { messages } = serverOf("halved");
    const halved = messages.findLast(({ data }) => data[0] === 2);
    if (halved === undefined) throw new Error("Expected a message of several records");
    const part = await openDirectoryLog({ ...storeOptions("halved-2"), logId: first.logId });
    const apply = (record: Uint8Array, place: StreamPlace): Promise<void> =>
      promised((done) => applyRecord(part, decodeRecord(record), place, done));
    const parts = new RecordParts();
    for (const { subject, sequence, id, data } of messages.slice(0, halved.sequence - 1)) {
      const records = subject === "epoch" ? [] : parts.take(data);
      for (const record of records) await apply(record, { sequence, id });
    }
    const { sequence, id, data } = halved;
    const records = parts.take(data).slice(0, 2);
    for (const [index, record] of records.entries()) {
      await apply(record, { sequence, id: `${id}/${index + 1}` });
    }
    await part.close();

    const second = await open("halved", "halved-2");
    expect(await told(second)).toEqual(before);
    await second.close();
  });
});
