/** What clients and attackers send over a connection, for servers with two ways to an answer: both have to send the same bytes. */
import { connect } from "node:net";

import fc from "fast-check";
import { expect } from "vitest";

const LAST = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** Headers that are more than plain, and lines that are none. */
// oxfmt-ignore
const LINES: readonly string[] = [
  "Host: localhost", "Host:", "Host: evil.example", "Host: [::1]:7", "Host: a b",
  "If-None-Match: *", "Range: bytes=0-1", "X-Request-Id: id-1", "Origin: https://a.example",
  "Content-Length: 0", "Content-Length: 3", "Content-Length: 3\r\nContent-Length: 4",
  "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked", "Transfer-Encoding : x",
  "Connection: close", "Connection: upgrade\r\nUpgrade: h2c", "Expect: 100-continue",
  "Accept: a\r\n b", " Accept: a", "Accept", "Accept: \xe9", "Accept:\ta", "Accept: a\rb",
  "Accept: a\nX: b", "Accept: \0", ": x", "Accept: ", "Keep-Alive: timeout=1", "TE: trailers",
];

/** Headers that common clients send. */
// oxfmt-ignore
const PLAIN_LINES: readonly string[] = [
  "User-Agent: curl/8.5.0", "Accept: */*", "accept-encoding: gzip, deflate", "accept-language: *",
  "sec-fetch-mode: cors", "Connection: keep-alive",
  "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "Authorization: Bearer nobody.asks.here",
];

/** What conversations are about. */
export interface Subject {
  /** The targets that requests ask for, beside some that nobody serves. */
  readonly targets: fc.Arbitrary<string>;
  /** More headers, plain ones and others. */
  readonly plainLines?: readonly string[];
  readonly lines?: readonly string[];
  /** A whole request as clients send it. */
  readonly plain: string;
}

/** Conversations, each as the parts of bytes that a client sends: whole requests, pieces of them, and mutilated ones. */
export function httpConversations({
  targets,
  plainLines = [],
  lines = [],
  plain,
}: Subject): fc.Arbitrary<readonly string[]> {
  const asked = fc.oneof(
    { weight: 8, arbitrary: targets },
    fc.constantFrom("/healthz", "//healthz", "*", "/readyz?", ""),
  );
  const line = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...PLAIN_LINES, ...plainLines) },
    fc.constantFrom(...LINES, ...lines),
  );
  const request = fc
    .record({
      method: fc.constantFrom("GET", "GET", "GET", "GET", "GET", "HEAD", "OPTIONS", "get", "POST"),
      target: asked,
      version: fc.constantFrom("1.1", "1.1", "1.1", "1.1", "1.0", "2.0", "1.1 "),
      host: fc.constantFrom("Host: localhost\r\n", "host: 127.0.0.1:80\r\n", ""),
      more: fc.array(line, { maxLength: 3 }),
      end: fc.constantFrom("\r\n", "\r\n", "\r\n", "\r\n", "\n", "", "\r\nabc", "\r\n\r\n"),
    })
    .map(
      ({ method, target, version, host, more, end }) =>
        `${method} ${target} HTTP/${version}\r\n${host}${more.map((each) => `${each}\r\n`).join("")}${end}`,
    );
  const some = fc.oneof({ weight: 2, arbitrary: request }, fc.constant(plain));
  /** What is done to the bytes: so many replaced by others at a place. */
  const wound = fc.record({
    at: fc.nat({ max: 200 }),
    drop: fc.nat({ max: 3 }),
    put: fc.constantFrom("", "\r", "\n", "\r\n", " ", "\t", ":", "\0", "\x80", "%", "GET ", plain),
  });
  return fc
    .record({
      requests: fc.array(some, { minLength: 1, maxLength: 4 }),
      /** Whether each is a part of its own, or all are cut at these places. */
      cuts: fc.oneof(fc.constant(undefined), fc.array(fc.nat({ max: 300 }), { maxLength: 3 })),
      wounds: fc.oneof(
        { weight: 2, arbitrary: fc.constant([]) },
        fc.array(wound, { maxLength: 2 }),
      ),
    })
    .map(({ requests: [first = "", ...rest], cuts, wounds }) => {
      let hurt = first;
      for (const { at, drop, put } of wounds)
        hurt = hurt.slice(0, at) + put + hurt.slice(at + drop);
      const parts = [hurt, ...rest].filter((part) => part !== "");
      return cuts === undefined ? parts : cutAt(parts.join(""), cuts);
    });
}

function cutAt(bytes: string, places: readonly number[]): string[] {
  const edges = [0, ...places.filter((place) => place < bytes.length), bytes.length];
  const sorted = [...new Set(edges)].toSorted((a, b) => a - b);
  return sorted.slice(1).map((edge, index) => bytes.slice(sorted[index], edge));
}

/** Sends parts to a port of this machine, each as one chunk, and one request more that ends the connection. Resolves to what comes back. */
export function converse(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => {});
    socket.on("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
    const sendNext = async (): Promise<void> => {
      for (const part of [...parts, LAST]) {
        if (!socket.writable) return;
        socket.write(Buffer.from(part, "latin1"));
        // The server runs in the turns of this very loop: so that it nearly always sees the part as one chunk.
        for (let turn = 0; turn < 10; turn += 1) await new Promise((done) => setImmediate(done));
      }
    };
    socket.on("connect", () => void sendNext());
  });
}

/** Without what differs from one answer to the next: the time, and the ids of requests that have none of their own. */
const timeless = (bytes: string): string =>
  bytes.replaceAll(/\r\nDate: [^\r]*|(?<=\r\nX-Request-Id: )[\da-f]{8}-[\da-f-]{27}/g, "");

/**
 * Expects the same bytes of two servers, and returns them. Where a server closes while its client still sends, the system may drop an answer:
 * then again.
 */
export async function expectSameAnswers(
  parts: readonly string[],
  port: number,
  other: number,
): Promise<string> {
  let [read, expected] = ["", ""];
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const both = await Promise.all([converse(port, parts), converse(other, parts)]);
    [read = "", expected = ""] = both.map(timeless);
    if (read === expected) return read;
  }
  expect({ parts, read }).toEqual({ parts, read: expected });
  return read;
}
