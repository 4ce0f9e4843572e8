import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

import { run } from "./command.ts";

let folder: string;

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), "meridian-secrets-")), "made");
  onTestFinished(() => rmSync(join(folder, ".."), { recursive: true }));
});

const read = (...path: readonly string[]): string => readFileSync(join(folder, ...path), "utf8");
const modeOf = (...path: readonly string[]): number => statSync(join(folder, ...path)).mode & 0o777;

describe("init", () => {
  it("makes an authority and a certificate for each machine, whose keys only their owner reads", async () => {
    const machines = ["--host", "a.example,10.0.0.1", "--host", "b.example"];
    const { exitCode, stdout } = await run(["init", folder, ...machines, "--days", "30"]);
    expect(exitCode).toBe(0);
    expect(stdout.toString()).toContain("2 certificates");
    expect(readdirSync(folder)).toEqual(["a.example", "b.example", "ca-key.pem", "ca.pem"]);
    for (const path of [["ca-key.pem"], ["a.example", "key.pem"], ["b.example", "key.pem"]]) {
      expect([path, modeOf(...path)]).toEqual([path, 0o600]);
    }
    expect([modeOf(), modeOf("a.example")]).toEqual([0o700, 0o700]);
    const [ca, own] = [read("ca.pem"), read("a.example", "cert.pem")].map(
      (text) => new X509Certificate(text),
    );
    expect(own?.verify(ca?.publicKey as never)).toBe(true);
    expect([own?.checkHost("a.example"), own?.checkIP("10.0.0.1")]).toEqual([
      "a.example",
      "10.0.0.1",
    ]);
  });

  it("writes over nothing", async () => {
    await run(["init", folder]);
    const before = read("ca.pem");
    const { exitCode, stderr } = await run(["init", folder]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("is not overwritten")]);
    expect(read("ca.pem")).toBe(before);
  });

  it.each([
    ["a host that is none", ["--host", "a b"], "Expected names such as"],
    ["a path", ["--host", "../a"], "Expected names such as"],
    ["a second name that is none", ["--host", "a.example,b_"], "Expected a host"],
    ["a machine twice", ["--host", "a", "--host", "a,b"], "got `a` twice"],
    ["no days", ["--days", "0"], "from 1 to 3650, got `0`"],
  ])("makes nothing of %s", async (_, args, says) => {
    const { exitCode, stderr } = await run(["init", folder, ...args]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(says)]);
    expect(readdirSync(join(folder, ".."))).toEqual([]);
  });
});

describe("certificate", () => {
  it("makes one for a machine more, and a new one only where it is told to", async () => {
    await run(["init", folder]);
    const make = (...args: readonly string[]): ReturnType<typeof run> =>
      run(["certificate", "c.example", "--folder", folder, ...args]);
    expect((await make("--renew")).stderr).toContain("to renew, got none");
    expect((await make()).exitCode).toBe(0);
    const first = read("c.example", "cert.pem");
    expect((await make()).stderr).toContain("`--renew` replaces it");
    expect(read("c.example", "cert.pem")).toBe(first);
    expect((await make("--renew")).exitCode).toBe(0);
    expect(read("c.example", "cert.pem")).not.toBe(first);
    expect(readdirSync(join(folder, "c.example"))).toEqual(["cert.pem", "key.pem"]);
  });

  it("needs an authority", async () => {
    const { exitCode, stderr } = await run(["certificate", "c.example", "--folder", folder]);
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining("as `meridian init` makes it")]);
  });
});

describe("a command", () => {
  it("trusts over TLS whom --ca names, for its own time alone", async () => {
    await run(["init", folder]);
    const [cert, key] = [read("localhost", "cert.pem"), read("localhost", "key.pem")];
    const server = createServer({ cert, key }, (_, answer) => answer.end('{"nodes":[]}'));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const argv = [
      "nodes",
      "--directory",
      `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ];
    const ca = join(folder, "ca.pem");
    expect((await run(argv)).stderr).toContain("unable to verify the first certificate");
    expect((await run([...argv, "--ca", ca])).exitCode).toBe(0);
    expect((await run(["--ca", ca, ...argv])).exitCode).toBe(0);
    expect((await run(argv, { env: { MERIDIAN_CA: ca } })).exitCode).toBe(0);
    expect((await run(argv)).exitCode).toBe(1);
    server.closeAllConnections();
  });

  it("says what is wrong with the file of --ca", async () => {
    const empty = join(folder, "..", "empty.pem");
    writeFileSync(empty, "");
    for (const path of [empty, join(folder, "none.pem")]) {
      const { exitCode, stderr } = await run(["nodes", "--ca", path]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("(--ca)")]);
    }
  });
});
