import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

import type { Dial } from "@meridian/ports";
import { describe, expect, it, onTestFinished } from "vitest";

import { lookAt } from "../src/directory-finder.ts";
import { testNode, type TestNodeOptions } from "./harness.ts";

interface Asked {
  /** What the node answers, its body as JSON. */
  readonly answer: (
    target: string,
    init?: RequestInit,
  ) => Promise<readonly [status: number, body: object]>;
  readonly pass: (ms: number) => void;
}

async function node(options: TestNodeOptions): Promise<Asked> {
  const started = await testNode(options);
  onTestFinished(() => started.close());
  return {
    answer: async (target, init) => {
      const response = await started.settle(started.request(target, init));
      return [response.status, (await response.json()) as object];
    },
    pass: (ms) => started.clock.advance(ms),
  };
}

/** The URL of a server. */
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A URL at which nothing listens. */
async function free(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

const PUT = { method: "PUT", body: "value" };
const WRITES: readonly (readonly [string, RequestInit])[] = [
  ["/cache/key", PUT],
  ["/cache/key", { method: "DELETE" }],
  ["/cache?key=key&value=value", { method: "POST" }],
  ["/touch?key=key&ttl=1h", { method: "POST" }],
  ["/pull?key=key", { method: "POST" }],
  ["/batch/delete", { method: "POST", body: '{"keys":["key"]}' }],
  ["/batch/set", { method: "POST", body: '{"entries":[{"key":"key","value":"value"}]}' }],
];

/** A directory that refuses whoever comes. */
function refusing(code: number, reason: string): Dial {
  return (events) => {
    queueMicrotask(() => events.onClose(code, reason));
    return { bufferedBytes: 0, send: () => {}, close: () => {} };
  };
}

describe("a node that no directory has ever admitted", () => {
  it("takes no write, by whatever route, and says so wherever it is asked", async () => {
    const { answer } = await node({ standalone: false });
    for (const [target, init] of WRITES) {
      expect(await answer(target, init)).toMatchObject([503, { code: "NODE_NOT_ADMITTED" }]);
    }
    expect(await answer("/readyz")).toMatchObject([503, { code: "NODE_NOT_ADMITTED" }]);
    expect(await answer("/status")).toMatchObject([
      200,
      { status: "standalone", replica: { admission: "never" } },
    ]);
  });

  it("says what it has found where its directories ought to be", async () => {
    const region = await serve((_, answer) =>
      answer.end('{"id":"oslo","cluster":"c","replica":{}}'),
    );
    const silent = await free();
    const { answer, pass } = await node({ standalone: false, directories: [region, silent] });
    const seen = `${region} is no directory but the region \`oslo\` of cluster \`c\`; ${silent} is silent (ECONNREFUSED)`;
    for (let turn = 0; turn < 1_000; turn += 1) {
      const [, body] = await answer("/status");
      if ((body as { directoriesFound: unknown }).directoriesFound !== null) break;
      pass(10);
    }
    expect(await answer("/status")).toMatchObject([200, { directoriesFound: seen }]);
    expect(await answer("/cache/key", PUT)).toMatchObject([503, { found: seen }]);
  });

  it("takes writes where it was started with `--standalone`", async () => {
    const { answer } = await node({ standalone: true });
    expect(await answer("/cache/key", PUT)).toMatchObject([200, {}]);
    expect(await answer("/readyz")).toMatchObject([200, {}]);
  });
});

it("a node that was admitted before starts cut off, and takes writes", async () => {
  const cursor = { logId: 7, epoch: 1, sequence: 0 };
  const { answer } = await node({
    standalone: false,
    records: [{ kind: "progress", cursor }],
  });
  expect(await answer("/cache/key", PUT)).toMatchObject([200, {}]);
  expect(await answer("/status")).toMatchObject([
    200,
    { directoriesFound: null, replica: { admission: "admitted" } },
  ]);
});

describe("a node that a directory has refused", () => {
  it.each([
    [4403, "WRONG_CLUSTER"],
    [4409, "NODE_ID_TAKEN"],
  ])("for good, with %i, takes no write, whoever has admitted it before", async (code, refusal) => {
    const cursor = { logId: 7, epoch: 1, sequence: 0 };
    const records = [{ kind: "progress", cursor } as const];
    const { answer } = await node({ standalone: true, records, dial: refusing(code, "no") });
    for (const [target, init] of WRITES) {
      expect(await answer(target, init)).toMatchObject([503, { code: "NODE_REFUSED", refusal }]);
    }
    expect(await answer("/readyz")).toMatchObject([503, { code: "NODE_REFUSED" }]);
  });

  it("because of its version takes writes: they travel once one of the two has been upgraded", async () => {
    const cursor = { logId: 7, epoch: 1, sequence: 0 };
    const { answer } = await node({
      records: [{ kind: "progress", cursor }],
      dial: refusing(4426, "no"),
    });
    expect(await answer("/cache/key", PUT)).toMatchObject([200, {}]);
  });
});

describe("where a directory ought to be", () => {
  it.each([
    ["a directory", '{"cluster":"c","logId":5,"peers":[]}', "a directory of cluster `c`"],
    ["another program", "<html>", "another program (HTTP 200)"],
    ["a program that speaks JSON", "[]", "another program (HTTP 200)"],
  ])("%s is told apart", async (_, body, said) => {
    expect(await lookAt(await serve((__, answer) => answer.end(body)))).toBe(said);
  });

  it("a program that answers without an end is read for a while only", async () => {
    const url = await serve((_, answer) => {
      answer.writeHead(200, { Server: "endless/1.0" });
      const more = (): void => {
        if (!answer.destroyed) answer.write("x".repeat(65_536), more);
      };
      more();
    });
    expect(await lookAt(url)).toBe("another program (HTTP 200, endless/1.0)");
  });
});
