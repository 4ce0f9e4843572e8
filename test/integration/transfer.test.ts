/** `meridian export` and `meridian import`, from one cluster to another. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import { connect } from "@meridian/client";
import { expect, it, onTestFinished } from "vitest";
import { startBothPrograms } from "@meridian/harness";

async function startRegion(): Promise<string> {
  const programs = await startBothPrograms();
  onTestFinished(() => programs.stop());
  return programs.region;
}

interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function meridian(
  argv: readonly string[],
  stdin = "",
  showsProgress = false,
): Promise<Outcome> {
  let [stdout, stderr] = ["", ""];
  const exitCode = await runCli(argv, {
    stdout: { write: (data) => (stdout += String(data)) },
    stderr: { write: (text) => (stderr += text) },
    stdin: (async function* () {
      yield Buffer.from(stdin);
    })(),
    env: {},
    colour: false,
    showsProgress,
  });
  return { exitCode, stdout, stderr };
}

it("carries every entry from one cluster to another, with its bytes, content type and expiry", async () => {
  const [from, to] = [await startRegion(), await startRegion()];
  const [source, target] = [await connect({ nodes: [from] }), await connect({ nodes: [to] })];
  onTestFinished(() => [source, target].forEach((client) => client.close()));
  const many = Array.from({ length: 450 }, (_, index) => `many:${String(index).padStart(4, "0")}`);
  await source.setMany(many.map((key) => ({ key, value: { key } })));
  await source.set("bytes", Uint8Array.of(0, 255, 10), { ttl: "1h" });
  await source.set("text", "früh\n", { contentType: "text/plain; charset=utf-8" });
  await source.set("large", new Uint8Array(900_000).fill(0));
  await source.set("gone", 1);
  await source.delete("gone");

  const { exitCode, stdout, stderr } = await meridian(["export", "--node", from]);
  expect([exitCode, stdout.split("\n").length]).toEqual([0, 454]);
  expect(stderr).toMatch(/^exported 453 entries, [\d.]+ MiB, \d+ a second\n$/);
  const imported = await meridian(["import", "--node", to], stdout);
  expect(imported.stderr).toMatch(/^imported 453 entries, /);

  for await (const { key } of source.keys()) {
    const [was, is] = [await source.getRaw(key), await target.getRaw(key)];
    expect(is && { ...is, value: [...is.value.subarray(0, 9)], etag: "", expiresAtMs: 0 }).toEqual(
      was && { ...was, value: [...was.value.subarray(0, 9)], etag: "", expiresAtMs: 0 },
    );
    expect(is?.value.length).toBe(was?.value.length);
  }
  const [was, is] = [await source.getRaw("bytes"), await target.getRaw("bytes")];
  // The lines carry instants, but a TTL is counted from the other cluster's time.
  expect(Math.abs((is?.expiresAtMs ?? 0) - (was?.expiresAtMs ?? 0))).toBeLessThan(60_000);

  const behind = await meridian(["export", "many:", "--after", "many:0447", "--node", to]);
  expect(behind.stdout.trim().split("\n")).toHaveLength(2);
});

it("tells which part of a file has been read", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-transfer-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "entries.ndjson");
  const value = "v".repeat(1_000);
  const lines = Array.from({ length: 200 }, (_, index) =>
    JSON.stringify({ key: `k${index}`, value, contentType: "text/plain", expiresAtMs: null }),
  );
  writeFileSync(file, lines.join("\n"));
  const { stderr } = await meridian(["import", file, "--node", await startRegion()], "", true);
  const [, share] = /imported \d+ entries, .* a second, (\d+) %/.exec(stderr) ?? [];
  expect(Number(share)).toBeGreaterThan(0);
  expect(Number(share)).toBeLessThanOrEqual(100);
  expect(stderr).toMatch(/imported 200 entries, [\d.]+ MiB, \d+ a second\n$/);
});

it("skips expired entries, and says how to continue after a wrong line", async () => {
  const region = await startRegion();
  const line = (key: string, expiresAtMs: number | null = null): string =>
    JSON.stringify({ key, value: "v", contentType: "text/plain", expiresAtMs });
  const expired = await meridian(["import", "--node", region], `${line("a", 1_000)}\n${line("b")}`);
  expect(expired.stderr).toMatch(/^imported 1 entry, .*; 1 had expired\n$/);
  expect((await fetch(`${region}/cache/a`)).status).toBe(404);

  const lines = Array.from({ length: 250 }, (_, index) => line(`k${index}`));
  const wrong = await meridian(["import", "--node", region], [...lines, "nonsense"].join("\n"));
  expect(wrong.exitCode).not.toBe(0);
  expect(wrong.stderr).toContain("line 251: Expected JSON");
  expect(wrong.stderr).toContain("all before line 201 is stored: go on with `--from-line 201`");
  expect((await fetch(`${region}/cache/k199`)).status).toBe(200);
  expect((await fetch(`${region}/cache/k200`)).status).toBe(404);
  const rest = ["import", "--node", region, "--from-line", "201"];
  expect((await meridian(rest, lines.join("\n"))).stderr).toMatch(/^imported 50 entries/);
  expect((await fetch(`${region}/cache/k249`)).status).toBe(200);
});
