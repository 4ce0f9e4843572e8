/** Requests of several HTTP clients to both programs. The tests of a client that is not installed here are skipped, and name it. */
import { execFile, spawnSync } from "node:child_process";
import { request as nodeRequest } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";

import { Agent, interceptors, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BothPrograms, startBothPrograms } from "@meridian/harness";

const run = promisify(execFile);
const CLIENTS = join(import.meta.dirname, "clients");

const has = (program: string, flag: string): boolean => spawnSync(program, [flag]).status === 0;

let programs: BothPrograms;
beforeAll(async () => {
  programs = await startBothPrograms();
});
afterAll(() => programs.stop());

/** A value that is larger than a region accepts, and than the buffers of a socket. */
const LARGE = Buffer.alloc(20_000_000, "x");

const hasHttp2 = /\bHTTP2\b/.test(spawnSync("curl", ["--version"]).stdout?.toString() ?? "");

describe.skipIf(!hasHttp2)("curl --http2 (skipped where there is no curl with HTTP/2)", () => {
  it("offers HTTP/2, and is answered all the same", async () => {
    for (const url of [programs.directory, programs.region]) {
      const flags = ["-s", "--http2", "-w", " %{http_code} %{http_version}"];
      const { stdout } = await run("curl", [...flags, `${url}/healthz`, `${url}/healthz`]);
      expect(stdout).toBe('{"status":"ok"} 200 1.1{"status":"ok"} 200 1.1');
    }
    const put = ["-s", "--http2", "-X", "PUT", "-d", "from curl", `${programs.region}/cache/curl`];
    await run("curl", put);
    const { stdout } = await run("curl", ["-s", "--http2", `${programs.region}/cache/curl`]);
    expect(stdout).toBe("from curl");
  });

  it("gets the refusal of a value that is too large, also without `Expect: 100-continue`", async () => {
    const flags = ["-s", "-X", "PUT", "-H", "Expect:", "--data-binary", "@-"];
    const told = run("curl", [...flags, `${programs.region}/cache/large`]);
    told.child.stdin?.end(LARGE);
    expect(JSON.parse((await told).stdout)).toMatchObject({ code: "VALUE_TOO_LARGE" });
  });
});

describe.skipIf(!has("java", "-version"))(
  "a JDK's HttpClient (skipped where there is no java)",
  () => {
    it("offers HTTP/2, and is answered all the same", async () => {
      const source = join(CLIENTS, "JdkClient.java");
      const { stdout } = await run("java", [source, programs.directory, programs.region]);
      const lines = stdout.trim().split("\n");
      expect(lines.slice(0, 4)).toEqual(Array(4).fill('200 HTTP_1_1 {"status":"ok"}'));
      expect(lines[4]).toMatch(/^200 HTTP_1_1/);
      expect(lines[5]).toBe("200 HTTP_1_1 from a JDK");
    }, 120_000);
  },
);

describe.skipIf(!has("python3", "--version"))(
  "Python's http.client (skipped without python3)",
  () => {
    it("gets the refusal of a value that is too large", async () => {
      const { hostname, port } = new URL(programs.region);
      const script = join(CLIENTS, "python_client.py");
      const { stdout } = await run("python3", [script, hostname, port]);
      expect(stdout.trim().split("\n")).toEqual(["413 VALUE_TOO_LARGE", "200 None"]);
    });
  },
);

describe("the clients of Node.js", () => {
  it("get the refusal of a value that is too large", async () => {
    const url = `${programs.region}/cache/large`;
    const fetched = await fetch(url, { method: "PUT", body: LARGE });
    expect([fetched.status, await fetched.json()]).toMatchObject([
      413,
      { code: "VALUE_TOO_LARGE" },
    ]);
    const status = await new Promise((resolve, reject) => {
      const asked = nodeRequest(url, { method: "PUT" }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      asked.on("error", reject);
      asked.end(LARGE);
    });
    expect(status).toBe(413);
  });
});

describe("undici with its cache", () => {
  const read = async (
    dispatcher: Agent | ReturnType<Agent["compose"]>,
    headers = {},
  ): Promise<string> => {
    const answer = await request(`${programs.region}/cache/held`, { dispatcher, headers });
    return answer.body.text();
  };

  it("never answers with an overwritten value", async () => {
    const agent = new Agent();
    const caching = agent.compose(interceptors.cache());
    const put = async (value: string): Promise<string> => {
      const url = `${programs.region}/cache/held?ttl=1h`;
      const { headers } = await fetch(url, { method: "PUT", body: value });
      return headers.get("meridian-position") ?? "";
    };
    const before = await put("one");
    expect(await read(caching)).toBe("one");
    expect(await read(caching, { "meridian-position": before })).toBe("one");
    const after = await put("two");
    expect(await read(caching)).toBe("two");
    expect(await read(caching, { "meridian-position": before })).toBe("two");
    expect(await read(caching, { "meridian-position": after })).toBe("two");
    await agent.close();
  });

  it("caches no error", async () => {
    const agent = new Agent();
    const caching = agent.compose(interceptors.cache());
    const url = `${programs.region}/cache/later`;
    expect((await request(url, { dispatcher: caching })).statusCode).toBe(404);
    await fetch(url, { method: "PUT", body: "x" });
    expect((await request(url, { dispatcher: caching })).statusCode).toBe(200);
    await agent.close();
  });
});
