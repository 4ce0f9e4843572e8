/** When a value that is kept in the client's process may be returned: one test for each condition. */
import { formatPosition, type Position } from "@meridian/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { NearCache } from "../src/near/near-cache.ts";
import { Session } from "../src/session.ts";
import { TestClock } from "../src/testing/index.ts";

const HERE = "http://here";
const ELSEWHERE = "http://elsewhere";
const LEASE_MS = 3_000;
const NO_EXPIRY = Number.NaN;

const at = (sequence: number): string => formatPosition(place(sequence));

function place(sequence: number): Position {
  return { logId: 1, epoch: 1, sequence, incarnation: 0, outboxPosition: 0 };
}

function entryOf(etag: string, expiresAtMs = NO_EXPIRY): Parameters<NearCache["came"]>[3] {
  return { contentType: "text/plain", bytes: new Uint8Array([1]), etag: `"${etag}"`, expiresAtMs };
}

let clock: TestClock;
let session: Session;
let near: NearCache;

beforeEach(() => {
  clock = new TestClock();
  session = new Session();
  const terms = { maxEntries: 10, maxBytes: undefined, prefix: "", leaseMs: LEASE_MS };
  near = new NearCache({ terms, clock, session, onWanted: () => {} });
  near.opened(HERE, clock.elapsedMs());
  word(1);
});

afterEach(() => near.close());

/** The node says that it has told everything through `sequence`, `elapsedMs` after the stream was asked for. */
function word(sequence: number, elapsedMs = clock.elapsedMs()): void {
  near.reached({ position: at(sequence), elapsedMs, nowMs: clock.nowMs() });
}

/** A read asks the node; `meanwhile` happens before the answer comes. */
function read(
  etag: string,
  { node = HERE, expiresAtMs = NO_EXPIRY, meanwhile = (): void => {} } = {},
): void {
  const request = near.sent("k");
  meanwhile();
  near.came("k", request, node, entryOf(etag, expiresAtMs));
}

const isReturned = (): boolean => near.get("k") !== undefined;

describe("a value is returned", () => {
  it("which the node has sent", () => {
    read("v1");
    expect(isReturned()).toBe(true);
  });

  it("which the node has told to be the newest while it was on its way", () => {
    read("v1", { meanwhile: () => near.changed("k", "v1", true) });
    expect(isReturned()).toBe(true);
  });

  it("through a position that covers what the session has seen", async () => {
    read("v1");
    await clock.advance(10);
    session.note(HERE, at(5), []);
    expect(isReturned()).toBe(false);
    // These two were said before that was seen.
    word(4, 1);
    expect(isReturned()).toBe(false);
    word(5, 2);
    expect(isReturned()).toBe(true);
  });

  it("by a word that was said after what the session has seen", () => {
    read("v1");
    session.note(HERE, at(5), []);
    expect(isReturned()).toBe(false);
    word(5);
    expect(isReturned()).toBe(true);
  });

  it("of an earlier generation, once it has been compared", () => {
    read("v1");
    near.renew();
    word(1);
    expect(isReturned()).toBe(false);
    near.compared("k", near.sent("k"), HERE, "v1");
    expect(isReturned()).toBe(true);
  });
});

describe("a value is not returned whose time is over", () => {
  it("after the lease of the node's last word", async () => {
    read("v1");
    await clock.advance(LEASE_MS - 1);
    expect(isReturned()).toBe(true);
    await clock.advance(1);
    expect(isReturned()).toBe(false);
    word(1);
    expect(isReturned()).toBe(true);
  });

  it("after the lease of a word that was on its way for long", async () => {
    read("v1");
    await clock.advance(LEASE_MS);
    // The node said it at once; it comes now.
    word(1, 1);
    expect(isReturned()).toBe(true);
    await clock.advance(1);
    expect(isReturned()).toBe(false);
  });

  it("once it has expired by the node's clock, which may be ahead", async () => {
    const aheadMs = 10_000;
    near.reached({ position: at(1), elapsedMs: 0, nowMs: clock.nowMs() + aheadMs });
    read("v1", { expiresAtMs: clock.nowMs() + aheadMs + 500 });
    await clock.advance(499);
    expect(isReturned()).toBe(true);
    await clock.advance(1);
    expect(isReturned()).toBe(false);
  });

  it("which would expire by a clock that the node has not told", () => {
    const terms = { maxEntries: 10, maxBytes: undefined, prefix: "", leaseMs: LEASE_MS };
    near = new NearCache({ terms, clock, session, onWanted: () => {} });
    near.opened(HERE, clock.elapsedMs());
    read("v1", { expiresAtMs: clock.nowMs() + 60_000 });
    word(1);
    expect(isReturned()).toBe(false);
  });
});

describe("a value is not returned that may not be the newest", () => {
  it.each([
    ["was set", true],
    ["was deleted, or has expired", false],
  ])("where the node has told that the key %s", (_, isSet) => {
    read("v1");
    near.changed("k", "v2", isSet);
    expect(isReturned()).toBe(false);
    read("v1", { meanwhile: () => near.changed("k", "v2", isSet) });
    expect(isReturned()).toBe(false);
  });

  it("where the node has told that this very value has expired", () => {
    read("v1");
    near.changed("k", "v1", false);
    expect(isReturned()).toBe(false);
  });

  it("where this client has written the key since the request", () => {
    read("v1", { meanwhile: () => near.wrote(["k"]) });
    expect(isReturned()).toBe(false);
    read("v1");
    near.wrote(["k"]);
    expect(isReturned()).toBe(false);
  });

  it("where another node has answered", () => {
    read("v1", { node: ELSEWHERE });
    expect(isReturned()).toBe(false);
    near.renew();
    word(1);
    near.compared("k", near.sent("k"), ELSEWHERE, "v1");
    expect(isReturned()).toBe(false);
  });

  it("where the session has seen something at another node", () => {
    read("v1");
    session.note(ELSEWHERE, at(1), []);
    word(9);
    expect(isReturned()).toBe(false);
  });

  it("where changes may have been missed since the request", () => {
    read("v1", {
      meanwhile: () => {
        near.renew();
        word(1);
      },
    });
    expect(isReturned()).toBe(false);
  });

  it("which was kept by the changes of another node, and is not the same there", () => {
    read("v1");
    expect(near.opened(ELSEWHERE, clock.elapsedMs())).toBe(true);
    near.reached({ position: at(1), elapsedMs: 0, nowMs: clock.nowMs() });
    expect(isReturned()).toBe(false);
    expect(near.oldKeys()).toEqual(["k"]);
    near.compared("k", near.sent("k"), ELSEWHERE, "v2");
    expect(near.oldKeys()).toEqual([]);
    expect(isReturned()).toBe(false);
  });

  it("when no node tells changes any more", () => {
    read("v1");
    near.left();
    expect(isReturned()).toBe(false);
    expect(near.sent("k")).toBeUndefined();
  });
});
