/** Regions that are told any member of their cluster, and find its directories. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
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

it("of what a member names, a region dials only what can be a directory", async () => {
  const folder = newFolder();
  const named = ["http://evil.example:1", "ftp://x", "not a URL", 7];
  const member = createServer((_, response) =>
    response.end(JSON.stringify({ cluster: "test", replica: {}, directories: named })),
  );
  member.listen(0, "127.0.0.1");
  onTestFinished(() => void member.close());
  await until("it listens", () => Promise.resolve(member.listening));
  const { port } = member.address() as AddressInfo;
  const paris = await stopped(
    startSmallRegion({
      id: "paris",
      data: join(folder, "paris"),
      join: [`http://127.0.0.1:${port}`],
    }),
  );
  expect(await directoriesOf(paris)).toEqual(["http://evil.example:1"]);
});
