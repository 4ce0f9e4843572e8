import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runCli } from "../src/index.ts";
import { nodeOf } from "./answers.ts";

interface Quarantined {
  readonly id: number;
  readonly key: string;
  /** The key has a value again. */
  readonly taken?: boolean;
}

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

let url: string;
let held: Map<number, Quarantined>;
let replayed: string[];
const toClose: (() => unknown)[] = [];

/** A directory and its two nodes in one server: `oslo` has a quarantine, `perth` has an empty one. */
beforeEach(async () => {
  const all = Array.from({ length: 700 }, (_, n) => ({ id: n + 1, key: `k${n + 1}` }));
  held = new Map(all.map((each) => [each.id, each]));
  held.set(3, { id: 3, key: "k3", taken: true });
  replayed = [];
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "", "http://localhost");
    const conditional = request.headers["if-none-match"] === "*";
    const [status, body] = answer(request.method ?? "", pathname, searchParams, conditional);
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  toClose.push(() => {
    server.closeAllConnections();
    server.close();
  });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  for (const close of toClose.splice(0)) close();
});

function answer(
  method: string,
  path: string,
  query: URLSearchParams,
  conditional: boolean,
): readonly [number, unknown] {
  const nodes = ["oslo", "perth"].map((id) => nodeOf({ id, url: `${url}/${id}` }));
  if (path === "/nodes") return [200, { nodes }];
  if (path.startsWith("/nodes/")) return [200, nodes.find(({ id }) => path.endsWith(id))];
  if (path === "/perth/quarantine") return [200, { size: 0, entries: [], next: null }];
  if (path === "/oslo/quarantine") return [200, pageAfter(query)];
  const [, id, replay] = /^\/oslo\/quarantine\/(\d+)(\/replay)?$/.exec(path) ?? [];
  const found = held.get(Number(id));
  if (found === undefined) return [404, { code: "ROUTE_NOT_FOUND", detail: "nothing there" }];
  if (method === "GET") return [200, { ...found, value: "/wA=", encoding: "base64" }];
  if (replay !== undefined && found.taken === true && conditional) {
    return [412, { code: "PRECONDITION_FAILED", detail: "the key has a value" }];
  }
  if (replay !== undefined) replayed.push(found.key);
  held.delete(found.id);
  return [200, { id: found.id }];
}

function pageAfter(query: URLSearchParams): object {
  const limit = Number(query.get("limit"));
  const facts = { bytes: 2, contentType: "text/plain", expiresAtMs: null, quarantinedAtMs: 0 };
  const entries = [...held.values()]
    .filter(({ id }) => id > Number(query.get("after")))
    .slice(0, limit)
    .map((each) => ({ ...each, ...facts }));
  const next = entries.length < limit ? null : (entries.at(-1)?.id ?? null);
  return { size: held.size, entries, next };
}

async function run(...argv: string[]): Promise<Outcome> {
  const out: Buffer[] = [];
  let stderr = "";
  const exitCode = await runCli(["quarantine", ...argv, "--directory", url], {
    stdout: { write: (data) => out.push(Buffer.from(data as string)) },
    stderr: { write: (text) => (stderr += text) },
    stdin: undefined,
    env: {},
    colour: false,
  });
  return { exitCode, stdout: Buffer.concat(out).toString("latin1"), stderr };
}

describe("meridian quarantine", () => {
  it("lists what is in quarantine at every node, however much", async () => {
    const { stdout, exitCode } = await run("list");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^oslo +1 +k1 +2 +text\/plain +never +1970-01-01T00:00:00.000Z$/m);
    expect(stdout.trim().split("\n")).toHaveLength(701);
    const { entries } = JSON.parse((await run("list", "--node", "perth", "--json")).stdout);
    expect(entries).toEqual([]);
  });

  it("shows a value as it is stored", async () => {
    expect(await run("show", "5", "--node", "oslo")).toMatchObject({ stdout: "\u00ff\u0000" });
    const { stdout } = await run("show", "5", "--node", "oslo", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ key: "k5", encoding: "base64" });
  });

  it("replays what is named, but not over a value that the key has again, unless told to", async () => {
    const first = await run("replay", "2", "3", "--node", "oslo");
    expect(first).toMatchObject({ exitCode: 1, stdout: "1 replayed\n" });
    expect(first.stderr).toBe("3: PRECONDITION_FAILED: the key has a value\n");
    const second = await run("replay", "3", "--node", "oslo", "--overwrite");
    expect(second).toMatchObject({ exitCode: 0, stdout: "1 replayed\n" });
    expect(replayed).toEqual(["k2", "k3"]);
  });

  it("drops all that is there, and goes on where one cannot be had", async () => {
    const gone = await run("drop", "9999", "7", "--node", "oslo", "--json");
    expect(gone.exitCode).toBe(1);
    expect(JSON.parse(gone.stdout)).toMatchObject({ dropped: [7], failures: [{ id: 9_999 }] });
    const all = await run("drop", "--all", "--node", "oslo");
    expect(all).toMatchObject({ exitCode: 0, stdout: "699 dropped\n" });
    expect([...held.keys()]).toEqual([]);
  });

  it("refuses ids that are none, of no node, or beside --all", async () => {
    for (const argv of [
      ["drop", "1"],
      ["drop", "--node", "oslo"],
      ["replay", "1", "--all", "--node", "oslo"],
      ["show", "x", "--node", "oslo"],
    ]) {
      expect((await run(...argv)).exitCode).toBe(2);
    }
    expect(held.size).toBe(700);
  });
});
