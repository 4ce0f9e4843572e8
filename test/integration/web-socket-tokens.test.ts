/** Sends every request over a WebSocket with every kind of token, and compares the answers with the table of the API. */
import { once } from "node:events";

import type { Access, Scope } from "@meridian/protocol/http-api";
import { SOCKET_API, type SocketRequestType } from "@meridian/protocol/socket-api";
import { systemClock } from "@meridian/runtime";
import { SOCKET_TONGUES } from "@meridian/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";

import { HOUR_MS, startTokenCluster } from "../support/token-cluster.ts";

const { region, stranger, tokenOf, revoke } = await startTokenCluster();

type Told = Readonly<Record<string, unknown>>;

/** By type: a request about `key`. */
const QUESTIONS: Readonly<Record<SocketRequestType, (key: string) => Told>> = {
  auth: () => ({}),
  ping: () => ({}),
  get: (key) => ({ key }),
  set: (key) => ({ key, value: "1" }),
  delete: (key) => ({ key }),
  touch: (key) => ({ key, ttl: "1h" }),
  getMany: (key) => ({ keys: ["app1:a", key] }),
  setMany: (key) => ({
    entries: [
      { key: "app1:a", value: "1" },
      { key, value: "1" },
    ],
  }),
  deleteMany: (key) => ({ keys: ["app1:a", key] }),
  hasMany: (key) => ({ keys: ["app1:a", key] }),
  pull: (key) => ({ key }),
  lease: (key) => ({ key }),
  release: (key) => ({ key, lease: "nobody" }),
  entries: (prefix) => ({ prefix }),
  watch: (prefix) => ({ prefix }),
  unwatch: () => ({ watch: 1 }),
};

let addresses = 0;

interface Connection {
  /** Resolves to `ok`, to the code of the error, or to `closed` if the connection has ended. */
  readonly ask: (request: Told) => Promise<unknown>;
  readonly closed: Promise<readonly [code: number, reason: string]>;
  readonly send: (request: Told) => void;
  /** Resolves to the next message for which `isWanted` returns true; without `isWanted`, to the next message. */
  readonly next: (isWanted?: (message: Told) => boolean) => Promise<Told>;
}

/** Connects from an address that no other connection has used, because bad tokens lock their address out. */
async function connect(
  token?: string,
  subprotocol: keyof typeof SOCKET_TONGUES = "json",
): Promise<Connection> {
  addresses += 1;
  const tongue = SOCKET_TONGUES[subprotocol]();
  const url = `${region.replace("http", "ws")}/ws`;
  const socket = new WebSocket(url, [tongue.protocol], {
    localAddress: `127.0.${9 + Math.floor(addresses / 250)}.${1 + (addresses % 250)}`,
  });
  onTestFinished(() => socket.terminate());
  await once(socket, "open");
  const closed = once(socket, "close").then(
    ([code, reason]) => [code as number, String(reason)] as const,
  );
  const send = (request: Told): void => socket.send(tongue.write(request));
  const next: Connection["next"] = (isWanted = () => true) =>
    new Promise((resolve) => {
      const hear = (data: Buffer): void => {
        const message = tongue.read(data);
        if (!isWanted(message)) return;
        socket.off("message", hear);
        resolve(message);
      };
      socket.on("message", hear);
    });
  let id = 0;
  const ask = async (request: Told): Promise<unknown> => {
    id += 1;
    const answer = next();
    send({ id, ...request });
    const told = await Promise.race([answer, closed.then(() => undefined)]);
    if (told === undefined) return "closed";
    expect(told["id"]).toBe(id);
    return told["type"] === "result" ? "ok" : (told["error"] as Told)["code"];
  };
  if (token !== undefined) await ask({ type: "auth", token });
  return { ask, closed, send, next };
}

const RANK = { public: 0, any: 1, node: 1, read: 2, write: 3, admin: 4 } as const;
const covers = (scope: Scope, access: Access): boolean => RANK[scope] >= RANK[access.scope];
const rows = (
  Object.entries(SOCKET_API) as readonly [SocketRequestType, { access: Access }][]
).flatMap(([type, { access }]) =>
  type === "auth" ? [] : (["json", "binary"] as const).map((one) => [type, one, access] as const),
);

describe("a region answers a request over a WebSocket as the table says", () => {
  it.each(rows)("%s (%s)", async (type, subprotocol, access) => {
    const question = (key: string): Told => ({ type, ...QUESTIONS[type](key) });
    const outcome = async (token: string, key = "app1:k"): Promise<boolean> =>
      (await (await connect(token, subprotocol)).ask(question(key))) !== "FORBIDDEN";
    for (const scope of ["node", "read", "write", "admin"] as const) {
      expect([scope, await outcome(await tokenOf({ scope }))]).toEqual([
        scope,
        covers(scope, access),
      ]);
    }
    for (const scope of ["read", "write"] as const) {
      const token = await tokenOf({ scope, prefixes: ["app1:"] });
      const told = [await outcome(token), await outcome(token, "app2:k")];
      const may = covers(scope, access);
      expect([scope, told]).toEqual([scope, [may, may && access.keys === undefined]]);
    }
    const bare = await connect(undefined, subprotocol);
    expect(await bare.ask(question("app1:k"))).toBe("UNAUTHENTICATED");
    expect((await bare.closed)[0]).toBe(4416);
  });
});

it("an invalid token is refused, and the connection closed", async () => {
  const nowMs = systemClock.nowMs();
  const past = { nowMs: nowMs - 2 * HOUR_MS, expiresAtMs: nowMs - HOUR_MS };
  const revoked = await tokenOf();
  await revoke(region, revoked);
  for (const token of ["a.b.c", "", await tokenOf(past), await tokenOf({}, stranger), revoked]) {
    const shown = await connect();
    expect(await shown.ask({ type: "auth", token })).toBe("UNAUTHENTICATED");
    expect((await shown.closed)[0]).toBe(4416);
  }
});

it("a connection ends when its token is revoked, and goes on with another one", async () => {
  const [first, second, other] = [await tokenOf(), await tokenOf(), await tokenOf()];
  const [renewed, kept, ended] = [await connect(first), await connect(other), await connect(first)];
  expect(await renewed.ask({ type: "auth", token: second })).toBe("ok");
  await revoke(region, first);
  const [code, reason] = await ended.closed;
  expect([code, reason]).toEqual([4416, expect.stringContaining("revoked")]);
  expect(await renewed.ask({ type: "get", key: "none" })).toBe("KEY_NOT_FOUND");
  expect(await kept.ask({ type: "get", key: "none" })).toBe("KEY_NOT_FOUND");
});

it("a new token ends the watches that it does not cover, and the others go on", async () => {
  const wide = await connect(await tokenOf({ prefixes: ["app1:", "app2:"] }));
  expect(await wide.ask({ type: "watch", key: "app1:k" })).toBe("ok");
  expect(await wide.ask({ type: "watch", prefix: "app2:" })).toBe("ok");
  expect(await wide.ask({ type: "watch", prefix: "app" })).toBe("FORBIDDEN");
  const told = wide.next();
  wide.send({ id: 90, type: "auth", token: await tokenOf({ prefixes: ["app2:"] }) });
  expect(await told).toMatchObject({ id: 2, type: "error", error: { code: "FORBIDDEN" } });
  const writer = await connect(await tokenOf({ scope: "write" }));
  const news = wide.next((message) => message["type"] === "changes");
  await writer.ask({ type: "set", key: "app1:k", value: "1" });
  await writer.ask({ type: "set", key: "app2:k", value: "1" });
  expect(await news).toMatchObject({ id: 3, changes: [{ event: "set", key: "app2:k" }] });
});

it("a connection ends soon after its token has expired", async () => {
  // A token is accepted until ten seconds after its expiry, because clocks differ. This one is accepted for a moment longer.
  const nowMs = systemClock.nowMs();
  const token = await tokenOf({ nowMs: nowMs - HOUR_MS, expiresAtMs: nowMs - 7_500 });
  const expiring = await connect(token);
  const [code, reason] = await expiring.closed;
  expect([code, reason]).toEqual([4416, expect.stringContaining("expired")]);
});
