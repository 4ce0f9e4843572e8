/** express-session itself, from npm, over the store; then the interface that it documents. npm has no suite of it. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { connect, type EntryInfo } from "@meridian/client";
import { meridianStore, type MeridianStore } from "@meridian/express-session";
import { expect, it, onTestFinished } from "vitest";

import { npmStage } from "../support/npm-stage.ts";
import { runReadme } from "../support/readme-example.ts";

interface Session {
  count?: number;
  readonly cookie: { maxAge: number | null };
  destroy(done: () => void): void;
  regenerate(done: () => void): void;
}
type Request = IncomingMessage & { session: Session };
type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void;
type SessionModule = ((options: object) => Handler) & { readonly Store: new () => object };

const { folder, client, toRegion } = await npmStage("express-session@1.19.0");
const loaded = await folder.load("node_modules/express-session/index.js");
const session = loaded["default"] as SessionModule;

/** Serves a page that counts its visits, and returns how to visit it with the cookie of the visit before. */
async function serve(store: object, cookie: object): Promise<(path?: string) => Promise<string>> {
  const secret = "a long one";
  const sessions = session({ store, secret, cookie, resave: false, saveUninitialized: false });
  const server = createServer((request, response) => {
    sessions(request, response, (error) => {
      if (error !== undefined)
        return void response.end(`failed: ${(error as { code: string }).code}`);
      const { session: own, url } = request as Request;
      if (url === "/leave") return own.destroy(() => response.end("left"));
      if (url === "/renew") return own.regenerate(() => response.end("renewed"));
      if (url !== "/look") own.count = (own.count ?? 0) + 1;
      response.end(String(own.count));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  let kept = "";
  return async (path = "/") => {
    const { port } = server.address() as AddressInfo;
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { cookie: kept } });
    kept = answer.headers.getSetCookie()[0]?.split(";")[0] ?? kept;
    return answer.text();
  };
}

async function listed(prefix: string): Promise<EntryInfo<unknown>[]> {
  const found: EntryInfo<unknown>[] = [];
  for await (const entry of client.entries({ prefix })) found.push(entry);
  return found;
}

it("the README's example runs", async () => {
  const modules = {
    "@meridian/client": { connect: toRegion },
    "@meridian/express-session": { meridianStore },
    "express-session": { default: session },
  };
  expect(await runReadme("packages/express-session", modules)).toBe(1);
});

it("a session lasts over requests and servers, is renewed and left", async () => {
  const own = { client, prefix: "visits" };
  const visit = await serve(meridianStore(session.Store, own), { maxAge: 60_000 });
  expect([await visit(), await visit(), await visit("/look")]).toEqual(["1", "2", "2"]);
  const [stored] = await listed("visits:");
  expect(stored).toMatchObject({ contentType: "application/json", value: { count: 2 } });
  const life = (await client.ttl(stored?.key ?? "")) ?? 0;
  expect([life > 0, life <= 60_000]).toEqual([true, true]);
  expect([await visit("/renew"), await visit()]).toEqual(["renewed", "1"]);
  expect(await client.has(stored?.key ?? "")).toBe(false);
  expect(await visit("/leave")).toBe("left");
  expect((await listed("visits:")).length).toBe(0);
});

it("without a cluster, a request with a session fails by the deadline", async () => {
  const visit = await serve(meridianStore(session.Store, { client, prefix: "away" }), {});
  expect(await visit()).toBe("1");
  const own = await connect({ nodes: ["http://127.0.0.1:1"], lazy: true, deadlineMs: 300 });
  onTestFinished(() => own.close());
  const store = meridianStore(session.Store, { client: own });
  await expect(asked((done) => store.get("7", done))).rejects.toMatchObject({
    code: "NO_READY_NODE",
  });
});

/** What a method of the store calls back with. */
function asked<Result>(
  call: (done: (error: unknown, result?: Result) => void) => void,
): Promise<Result | undefined> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error === null ? resolve(result) : reject(error as Error)));
  });
}

let count = 0;
function makeStore(ttl?: string): { store: MeridianStore; prefix: string } {
  const prefix = `p${(count += 1)}`;
  return { prefix, store: meridianStore(session.Store, { client, prefix, ttl }) };
}

const cookie = (
  maxAge: number | null,
): { cookie: { maxAge: number | null; originalMaxAge: number | null } } => ({
  cookie: { maxAge, originalMaxAge: maxAge },
});

it("get, set, touch and destroy do what express-session says", async () => {
  const { store, prefix } = makeStore("1h");
  expect(await asked((done) => store.get("a", done))).toBe(null);
  await asked((done) => store.set("a", { ...cookie(null), user: "Ada" } as never, done));
  expect(await asked((done) => store.get("a", done))).toMatchObject({ user: "Ada" });
  expect(await client.ttl(`${prefix}:a`)).toBeLessThanOrEqual(3_600_000);
  await asked((done) => store.touch("a", cookie(60_000), done));
  expect(await client.ttl(`${prefix}:a`)).toBeLessThanOrEqual(60_000);
  expect(await asked((done) => store.get("a", done))).toMatchObject({ user: "Ada" });
  await asked((done) => store.touch("none", cookie(60_000), done));
  expect(await asked((done) => store.get("none", done))).toBe(null);
  await asked((done) => store.destroy("a", done));
  await asked((done) => store.destroy("a", done));
  expect(await asked((done) => store.get("a", done))).toBe(null);
});

it.each(["set", "touch"] as const)(
  "a %s of a session whose cookie is over deletes it",
  async (name) => {
    const { store } = makeStore();
    await asked((done) => store.set("a", cookie(60_000), done));
    await asked((done) => store[name]("a", cookie(-1), done));
    expect(await asked((done) => store.get("a", done))).toBe(null);
  },
);

it("all, length and clear are about the sessions of the store alone", async () => {
  const [{ store }, { store: other }] = [makeStore(), makeStore()];
  await asked((done) => other.set("a", cookie(null), done));
  for (const id of ["a", "b"])
    await asked((done) => store.set(id, { ...cookie(null), id } as never, done));
  expect(await asked((done) => store.length(done))).toBe(2);
  const all = await asked<unknown>((done) => store.all(done as never));
  expect(all).toMatchObject([{ id: "a" }, { id: "b" }]);
  await asked((done) => store.clear(done));
  expect(await asked((done) => store.length(done))).toBe(0);
  expect(await asked((done) => other.length(done))).toBe(1);
});
