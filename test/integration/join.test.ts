/** Regions that start with `--join`: they ask any member of their cluster for its directories. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Authority, type MadeCertificate } from "@meridian/certificates/authority";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import { systemClock } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

const DEAD = "http://127.0.0.1:9";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "meridian-join-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function stopped<Program extends Running>(starting: Promise<Program>): Promise<Program> {
  const program = await starting;
  onTestFinished(() => program.stop());
  return program;
}

async function ready(program: Running): Promise<void> {
  await until("it serves", async () => (await fetch(`${program.url}/readyz`)).ok);
}

async function directoriesOf({ url }: Running): Promise<unknown> {
  const { directories } = (await (await fetch(`${url}/status`)).json()) as {
    readonly directories: unknown;
  };
  return directories;
}

it("a region joins by any region or directory, and again when only what it was told is left", async () => {
  const folder = newFolder();
  const first = await stopped(startSmallDirectory({ data: join(folder, "first") }));
  const second = await stopped(
    startSmallDirectory({ data: join(folder, "second"), peer: [first.url] }),
  );
  const all = [second.url, first.url];
  const paris = await stopped(
    startSmallRegion({ id: "paris", data: join(folder, "paris"), join: [`${second.url}/`] }),
  );
  await ready(paris);
  expect(await directoriesOf(paris)).toEqual(all);
  const oslo = { id: "oslo", data: join(folder, "oslo"), join: [DEAD, paris.url] };
  const running = await stopped(startSmallRegion(oslo));
  await ready(running);
  expect(await directoriesOf(running)).toEqual(all);
  await running.stop();
  await paris.stop();
  const again = await stopped(startSmallRegion(oslo));
  await ready(again);
  expect(await directoriesOf(again)).toEqual(all);
});

it("a region that finds no member of its cluster says what it found, and does not start", async () => {
  const folder = newFolder();
  const other = await stopped(
    startSmallDirectory({ data: join(folder, "other"), cluster: "other" }),
  );
  const web = createServer((_, response) => response.end("hello"));
  web.listen(0, "127.0.0.1");
  onTestFinished(() => void web.close());
  await until("it listens", () => Promise.resolve(web.listening));
  const { port } = web.address() as AddressInfo;
  const members = [DEAD, other.url, `http://127.0.0.1:${port}`];
  const started = startSmallRegion({ id: "paris", data: join(folder, "paris"), join: members });
  await expect(started).rejects.toMatchObject({
    code: "DIRECTORY_UNREACHABLE",
    message: [
      "Expected a region or a directory of cluster `test` (--join), but http://127.0.0.1:9 is silent (ECONNREFUSED)",
      `${other.url} is one of cluster \`other\``,
      `http://127.0.0.1:${port} is another program (HTTP 200)`,
    ].join("; "),
  });
  const both = { id: "paris", data: join(folder, "paris"), directory: DEAD, join: members };
  await expect(startSmallRegion(both)).rejects.toMatchObject({ code: "INVALID_CONFIG" });
});

/** Starts a member whose answer names `named` as its directories, and returns the member's URL. */
async function memberNaming(
  named: readonly unknown[],
  certificate?: MadeCertificate,
): Promise<string> {
  const body = JSON.stringify({ cluster: "test", replica: {}, directories: named });
  const answer: RequestListener = (_, response) => void response.end(body);
  const member = certificate ? createSecureServer(certificate, answer) : createServer(answer);
  member.listen(0, "127.0.0.1");
  onTestFinished(() => void member.close());
  await until("it listens", () => Promise.resolve(member.listening));
  const { port } = member.address() as AddressInfo;
  return `${certificate ? "https" : "http"}://127.0.0.1:${port}`;
}

/** Values that cannot be the URL of a directory. */
const NEVER = [
  "ftp://x",
  "not a URL",
  7,
  null,
  "http://user:secret@evil.example:1",
  "http://evil.example:1?a=b",
  `http://evil.example/${"x".repeat(500)}`,
];

it("a region looks at the first 32 directories that a member names, and ignores those that are no URLs of directories", async () => {
  const folder = newFolder();
  const many = Array.from({ length: 100 }, (_, index) => `http://evil.example:${index + 1}`);
  const url = await memberNaming([...NEVER, ...many]);
  const given = { id: "paris", data: join(folder, "paris"), join: [url] };
  const paris = await stopped(startSmallRegion(given));
  expect(await directoriesOf(paris)).toEqual(many.slice(0, 32 - NEVER.length));
});

it("a region that asks a member over TLS uses no directory without TLS, neither a named nor a remembered one", async () => {
  const folder = newFolder();
  const validity = { nowMs: systemClock.nowMs(), days: 1 };
  const authority = await Authority.create("root", validity);
  const certificate = await authority.issue({ hosts: ["127.0.0.1"], ...validity });
  const tlsCa = join(folder, "ca.pem");
  writeFileSync(tlsCa, authority.cert);
  const data = join(folder, "paris");
  const [plain, safe] = ["http://directory.example:1", "https://directory.example:1"];
  const given = { id: "paris", data, tlsCa };
  const first = await stopped(startSmallRegion({ ...given, join: [await memberNaming([plain])] }));
  expect(await directoriesOf(first)).toEqual([plain]);
  await first.stop();
  const off = await memberNaming([plain], certificate);
  await expect(startSmallRegion({ ...given, join: [off] })).rejects.toMatchObject({
    code: "DIRECTORY_UNREACHABLE",
    message: expect.stringContaining("a member with an `https:` URL must name `https:` URLs"),
  });
  const on = await memberNaming([plain, safe], certificate);
  const second = await stopped(startSmallRegion({ ...given, join: [on] }));
  expect(await directoriesOf(second)).toEqual([safe]);
});
