import type { Link } from "@meridian/ports";
import { decodeBlock, readFrameHeader, type Entry } from "@meridian/protocol";
import { OpenRanges } from "@meridian/replication/source/reconcile/open-ranges";
import { ReconcileResponder } from "@meridian/replication/source/reconcile/reconcile-responder";
import { emptyLogDisk, MemoryDirectoryLog } from "@meridian/testkit";
import { expect, it } from "vitest";

const stamp = { time: 5, origin: 1 };

/** What a log without entries answers to the offer of an entry of `stamp`, if its horizon is `horizon` by then. */
function answerUnder(horizon: number): { texts: unknown[]; donated: Entry[] } {
  const texts: unknown[] = [];
  const donated: Entry[] = [];
  const send = (message: string | Uint8Array): void => {
    if (typeof message === "string") texts.push(JSON.parse(message));
    else donated.push(...decodeBlock(message.subarray(64), readFrameHeader(message).count));
  };
  const link: Link = { bufferedBytes: 0, send, close: () => {} };
  let now = 0;
  const responder = new ReconcileResponder({
    log: new MemoryDirectoryLog(emptyLogDisk(7), 1, (run) => run()),
    link,
    linkBytesMax: () => 1_000_000,
    open: new OpenRanges(),
    horizon: 3,
    pageRows: 100,
    buriesUnder: () => now,
    nowMs: () => 0,
    later: (callback) => callback(),
  });
  now = horizon;
  const entries: [string, number, number][] = [["k", stamp.time, stamp.origin]];
  responder.offer({ type: "offer", nowMs: 0, id: 1, from: null, to: null, entries });
  return { texts, donated };
}

it("what another directory has and this log has forgotten is buried, by the horizon as it is when the offer comes", () => {
  expect(answerUnder(4).texts).toMatchObject([{ type: "wanted", donated: 0, keys: ["k"] }]);
  const { texts, donated } = answerUnder(5);
  expect(texts).toMatchObject([{ type: "wanted", donated: 1, keys: [] }]);
  expect(donated).toMatchObject([{ key: "k", stamp: { time: 5 }, deleted: true }]);
});
