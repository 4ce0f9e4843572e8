import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { exchangeBytes, headerOf, parseAnswer, testNode, type TestNode } from "./harness.ts";

let region: TestNode;
/** Ports of a server that takes the short paths, and of one that answers everything through the app. */
let short: number;
let app: number;
beforeAll(async () => {
  region = await testNode({
    valueBytesMax: 100_000,
    allowOrigin: ["https://app.example.com"],
  });
  short = await region.serve();
  app = await region.serve(true);
});
afterAll(() => region.close());

const bothPorts = (): readonly number[] => [short, app];

const withoutDate = (bytes: string): string => bytes.replace(/\r\nDate: [^\r]*/, "");
const segment = fc.oneof(
  fc.constantFrom("a", "b%20c", "%C3%A9", ".", "..", "%2e", "%2E%2e", "", "x.y", "~", "a+b"),
  fc.constantFrom("%", "%zz", "%ff", "a\\b", "a#b", "a?b", "a;b", "'", '"', "a|b", "[", "%00", "@"),
  fc.string({ maxLength: 4 }).map(encodeURIComponentSafely),
);
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join("/"));
const value = fc.uint8Array({ maxLength: 300 });

describe("the short path of reads", () => {
  it("answers byte for byte as the app does", async () => {
    const method = fc.constantFrom("GET", "GET", "GET", "HEAD", "OPTIONS");
    const header = fc.constantFrom(
      "",
      "If-None-Match: *\r\n",
      'if-none-match: "x"\r\n',
      "Meridian-Wait-Ms: 7\r\n",
      "Meridian-Deadline: 1\r\n",
      "Meridian-Position: nonsense\r\n",
      "Origin: https://example.org\r\n",
      "Range: bytes=0-1\r\n",
    );
    const ttl = fc.constantFrom("", "?ttl=90", "?ttl=1500ms");
    let hits = 0;
    await fc.assert(
      fc.asyncProperty(
        path,
        method,
        header,
        value,
        ttl,
        async (encoded, verb, line, bytes, query) => {
          const target = `/cache/${encoded}`;
          const length = `Content-Length: ${bytes.byteLength}\r\n`;
          const close = "Host: localhost\r\nConnection: close\r\n";
          const put = `PUT ${target}${query} HTTP/1.1\r\n${close}${length}\r\n`;
          await exchangeBytes(short, put, Buffer.from(bytes));
          region.clock.advance(700);
          const request = `${verb} ${target} HTTP/1.1\r\n${close}${line}\r\n`;
          const expected = await exchangeBytes(app, request);
          expect(withoutDate(await exchangeBytes(short, request))).toBe(withoutDate(expected));
          if (expected.startsWith("HTTP/1.1 200")) hits += 1;
        },
      ),
      { numRuns: 150 },
    );
    // Else the property would say nothing of hits.
    expect(hits).toBeGreaterThan(10);
  });
});

describe("the short path of writes", () => {
  it("answers as the app does", async () => {
    const stampless = (bytes: string): string =>
      withoutDate(bytes)
        .replaceAll(/[0-9a-z]{9,}-[0-9a-z]{5,}/g, "STAMP")
        .replaceAll(/p1\.[0-9a-z.]+/g, "POSITION");
    const header = fc.constantFrom(
      "",
      "Content-Type: text/plain\r\n",
      `Content-Type: ${"x".repeat(256)}\r\n`,
      "Content-Encoding: gzip\r\n",
      "If-Match: *\r\n",
      "Meridian-Position: nonsense\r\n",
      "Origin: https://app.example.com\r\n",
      "Origin: https://evil.example.com\r\n",
      "Origin: https://app.example.com\r\norigin: https://evil.example.com\r\n",
      "Origin:\r\n",
      "Meridian-Deadline: 1\r\n",
      "Meridian-Deadline: soon\r\n",
    );
    const query = fc.constantFrom("", "", "?ttl=5", "?ttl=0", "?x=1");
    const statuses = new Set<number>();
    await fc.assert(
      fc.asyncProperty(path, header, value, query, async (encoded, line, bytes, options) => {
        const length = `Content-Length: ${bytes.byteLength}\r\n`;
        const head = `PUT /cache/${encoded}${options} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n`;
        const request = [`${head}${line}${length}\r\n`, Buffer.from(bytes)];
        const expected = await exchangeBytes(app, ...request);
        const got = await exchangeBytes(short, ...request);
        expect(stampless(got)).toBe(stampless(expected));
        statuses.add(parseAnswer(got).status);
      }),
      { numRuns: 200 },
    );
    // Else the property would say nothing of them.
    for (const status of [200, 400, 403, 409, 412]) expect(statuses).toContain(status);
  });
});

describe("a connection", () => {
  it("serves many requests, in order", async () => {
    await region.request("/cache/pipe", { method: "PUT", body: "one" });
    const get = "GET /cache/pipe HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const set = "PUT /cache/pipe HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\ntwo";
    const last = "GET /cache/pipe HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const bytes = await exchangeBytes(short, get + get + set + last);
    expect(bytes.match(/HTTP\/1\.1 200/g)).toHaveLength(4);
    expect(bytes.endsWith("\r\n\r\none") || bytes.endsWith("\r\n\r\ntwo")).toBe(true);
  });

  it("may be HTTP/1.0, without a host", async () => {
    await region.request("/cache/old", { method: "PUT", body: "x" });
    for (const port of bothPorts()) {
      const answer = parseAnswer(await exchangeBytes(port, "GET /cache/old HTTP/1.0\r\n\r\n"));
      expect([answer.status, answer.body]).toEqual([200, "x"]);
    }
  });
});

describe("bytes that are no HTTP request", () => {
  it.each([
    [
      "a path beyond ASCII",
      "GET /cache/stra\u00dfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "HPE_INVALID_URL",
    ],
    ["another protocol", "*1\r\n$4\r\nPING\r\n", "HPE_INVALID_METHOD"],
    [
      "two lengths",
      "PUT /cache/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
      "HPE_",
    ],
  ])("(%s) are answered a problem, and the connection ends", async (_, bytes, says) => {
    const answer = parseAnswer(await exchangeBytes(short, bytes));
    expect(answer.status).toBe(400);
    expect(answer.headers.get("content-type")).toBe("application/problem+json");
    expect(answer.headers.get("meridian-node")).toBe("fra");
    expect(answer.body).toContain("INVALID_ARGUMENT");
    expect(answer.body).toContain(says);
  });

  it("(a head too large) are answered 431", async () => {
    const request = `GET /cache/a HTTP/1.1\r\nHost: localhost\r\nCookie: ${"x".repeat(17_000)}\r\n\r\n`;
    const answer = parseAnswer(await exchangeBytes(short, request));
    expect([answer.status, answer.headers.get("meridian-node")]).toEqual([431, "fra"]);
    expect(answer.body).toContain("HEADERS_TOO_LARGE");
  });

  it("(a host that makes no URL) are answered a problem", async () => {
    const request = "GET /status HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n";
    const answer = parseAnswer(await exchangeBytes(short, request));
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("INVALID_ARGUMENT");
  });
});

describe("a body that is too large", () => {
  const head = "PUT /cache/big HTTP/1.1\r\nHost: localhost\r\n";
  const refusal = { status: 413, code: "VALUE_TOO_LARGE" };
  const refused = (bytes: string): unknown => {
    const { status, body } = parseAnswer(bytes);
    return { status, code: (JSON.parse(body) as { readonly code: string }).code };
  };

  it("is refused by its declared length, before any of it has come", async () => {
    for (const port of bothPorts()) {
      // The client sends nothing more, and the node closes.
      const bytes = await exchangeBytes(
        port,
        `${head}Connection: close\r\nContent-Length: 100001\r\n\r\n`,
      );
      expect(refused(bytes)).toEqual(refusal);
    }
  });

  it("is not even asked for of a client that waits to be", async () => {
    for (const port of bothPorts()) {
      const expecting =
        "Connection: close\r\nExpect: 100-continue\r\nContent-Length: 100001\r\n\r\n";
      const bytes = await exchangeBytes(port, head + expecting);
      expect(bytes).not.toContain("100 Continue");
      expect(refused(bytes)).toEqual(refusal);
    }
  });

  it("is refused as soon as more has come than is taken", async () => {
    const chunk = `8000\r\n${"x".repeat(0x8000)}\r\n`;
    const chunked = `${head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    for (const port of bothPorts()) {
      // The body has no end.
      expect(refused(await exchangeBytes(port, chunked + chunk.repeat(4)))).toEqual(refusal);
    }
    expect((await region.request("/cache/big")).status).toBe(404);
  });

  it("is taken at the very limit", async () => {
    const request = `${head}Connection: close\r\nContent-Length: 100000\r\n\r\n${"x".repeat(100_000)}`;
    for (const port of bothPorts()) {
      expect(parseAnswer(await exchangeBytes(port, request)).status).toBe(200);
    }
    expect(headerOf(await region.request("/cache/big"), "content-length")).toBe("100000");
  });

  it("of a batch is refused by its declared length", async () => {
    const batch = "POST /batch/set HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
    expect(refused(await exchangeBytes(short, `${batch}Content-Length: 99999999\r\n\r\n`))).toEqual(
      refusal,
    );
  });
});

describe("a body that stops half-way", () => {
  it("writes nothing", async () => {
    for (const port of bothPorts()) {
      const before = await (await region.request("/digest")).text();
      const request = `PUT /cache/half HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf`;
      const { connect } = await import("node:net");
      await new Promise<void>((resolve, reject) => {
        const socket = connect({ port, host: "127.0.0.1" }, () => {
          socket.write(request, () => socket.destroy());
        });
        socket.on("close", () => resolve());
        socket.on("error", reject);
      });
      // A request that is answered after it shows that the node has dealt with it.
      await region.idle();
      expect((await region.request("/cache/half")).status).toBe(404);
      expect(await (await region.request("/digest")).text()).toBe(before);
    }
  });
});

function encodeURIComponentSafely(text: string): string {
  return /\p{Surrogate}/u.test(text) ? "" : encodeURIComponent(text);
}
