import type { LinkEvents } from "@meridian/ports";
import { GREETING_BYTES_MAX, MeridianError } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import { silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { beforeEach, expect, it } from "vitest";

import { LinkTokens } from "../src/link-tokens.ts";

const HOUR_MS = 3_600_000;
const EXPIRED = new MeridianError("UNAUTHENTICATED", "Expected a good token, got another");

let clock: ManualClock;
let tokens: LinkTokens;
/** Headers that are good no more. */
let bad: Set<string>;
let voided: () => void;
let closed: string[];
/** How long the messages were that reached the machine. */
let passed: number[];

beforeEach(() => {
  clock = new ManualClock();
  bad = new Set();
  closed = [];
  passed = [];
  tokens = new LinkTokens({
    authenticator: {
      known: () => undefined,
      verify: async (authorization = "") => {
        if (bad.has(authorization)) throw EXPIRED;
        return principalOf(authorization);
      },
      checkAge: () => {},
      isVoid: ({ id }) => bad.has(id),
      onVoid: (callback) => (voided = callback),
    },
    clock,
    logger: silentLogger,
  });
  tokens.start();
});

function principalOf(id: string): Principal {
  const grant = { scope: "node", prefixes: [], nodes: ["*"] } as const;
  const nowMs = clock.nowMs();
  return { ...grant, id, subject: "", issuedAtMs: nowMs, expiresAtMs: nowMs + HOUR_MS, key: "" };
}

function open(id: string, principal: Principal = principalOf(id)): LinkEvents {
  const link = {
    send: () => {},
    bufferedBytes: 0,
    close: (code: number, reason: string) => void closed.push(`${id} ${code} ${reason}`),
  };
  const nothing = {
    onOpen: () => {},
    onMessage: (message: string | Uint8Array) => void passed.push(message.length),
    onPart: () => void closed.push(`${id} part`),
    onDrain: () => {},
    onClose: () => {},
  };
  return tokens.guard(link, nothing, { principal, authorization: id });
}

const END = "4416 Expected a good token, got another";
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("a link is closed once its token has expired, and as much later as another would be let in", async () => {
  open("a");
  clock.advance(HOUR_MS + 9_000);
  bad.add("a");
  await settled();
  expect(closed).toEqual([]);
  clock.advance(2_000);
  await settled();
  expect(closed).toEqual([`a ${END}`]);
});

it("parts of messages are handed on", () => {
  open("a").onPart();
  expect(closed).toEqual(["a part"]);
});

it("links are closed whose tokens are good no more, and no others, each once", async () => {
  open("a");
  open("b");
  open("c").onClose(1000, "");
  bad.add("b").add("c");
  voided();
  voided();
  await settled();
  expect(closed).toEqual([`b ${END}`]);
});

it("a link is closed whose token was revoked while it was being opened", async () => {
  bad.add("a");
  open("a");
  await settled();
  expect(closed).toEqual([`a ${END}`]);
});

it("a node introduces itself with no database of a node that its token does not name", () => {
  const introduce = (nodes: readonly string[], nodeId: string, incarnation: number): string => {
    const link = open(nodeId, { ...principalOf(nodeId), nodes });
    try {
      link.onMessage(JSON.stringify({ type: "hello", nodeId, incarnation }));
      return "taken";
    } catch (cause) {
      return cause instanceof MeridianError ? cause.code : String(cause);
    }
  };
  expect(introduce(["oslo"], "rome", 1)).toBe("FORBIDDEN");
  expect(introduce(["oslo"], "oslo", 1)).toBe("taken");
  expect(introduce(["rome"], "rome", 1)).toBe("INCARNATION_REUSED");
  expect(introduce(["rome"], "rome", 2)).toBe("taken");
  // A node that is given another name, with a token for both.
  expect(introduce(["oslo", "bergen"], "bergen", 1)).toBe("taken");
  expect(introduce(["*"], "paris", 2)).toBe("taken");
});

it("a text that is too long for a greeting is neither parsed nor handed on, also behind a probe, until its sender is introduced", () => {
  const link = open("oslo", { ...principalOf("oslo"), nodes: ["oslo"] });
  const sent = (length: number, members: object): string => {
    try {
      link.onMessage(JSON.stringify(members).padEnd(length));
      return "taken";
    } catch (cause) {
      return cause instanceof MeridianError ? cause.code : String(cause);
    }
  };
  const [longest, longer] = [GREETING_BYTES_MAX, GREETING_BYTES_MAX + 1];
  const rome = { type: "hello", nodeId: "rome", incarnation: 1 };
  const oslo = { type: "hello", nodeId: "oslo", incarnation: 2 };
  expect(sent(longer, rome)).toBe("MALFORMED_MESSAGE");
  expect(sent(longest, rome)).toBe("FORBIDDEN");
  expect(sent(longest, { type: "probe" })).toBe("taken");
  expect(sent(longer, rome)).toBe("MALFORMED_MESSAGE");
  expect(sent(longer, oslo)).toBe("MALFORMED_MESSAGE");
  expect(passed).toEqual([longest]);
  expect(sent(longest, oslo)).toBe("taken");
  expect(sent(longer, { type: "offer" })).toBe("taken");
  expect(passed).toEqual([longest, longest, longer]);
});
