import { X509Certificate } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer as createPlainServer } from "node:http";
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
    expect(readdirSync(folder)).toEqual([
      "a.example",
      "b.example",
      "ca-key.pem",
      "ca.pem",
      "signing-key.json",
      "token-keys.json",
    ]);
    for (const path of [
      ["ca-key.pem"],
      ["signing-key.json"],
      ["a.example", "key.pem"],
      ["b.example", "key.pem"],
    ]) {
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

describe("token", () => {
  const create = (...args: readonly string[]): ReturnType<typeof run> =>
    run(["token", "create", "--folder", folder, ...args]);
  const claimsOf = (token: Buffer): unknown =>
    JSON.parse(Buffer.from(token.toString().split(".")[1] ?? "", "base64url").toString());

  it("create makes tokens that grant what is asked for, and nothing else", async () => {
    await run(["init", folder]);
    const app = ["--scope", "write", "--prefix", "app1:", "--prefix", "app2:", "--expires", "1h"];
    const { stdout } = await create(...app, "--subject", "billing", "--cluster", "shop");
    const claims = claimsOf(stdout) as { readonly iat: number };
    const granted = { scope: "write", prefixes: ["app1:", "app2:"], sub: "billing", aud: "shop" };
    expect(claims).toEqual({
      ...granted,
      iat: expect.any(Number),
      exp: claims.iat + 3_600,
      jti: expect.stringMatching(/^[a-z0-9]{10,}$/),
    });
    const node = await create("--scope", "node", "--node", "oslo");
    expect(claimsOf(node.stdout)).toMatchObject({ scope: "node", nodes: ["oslo"] });
  });

  it("create writes down what it makes, and never the token", async () => {
    await run(["init", folder]);
    const { stdout } = await create("--scope", "read", "--expires", "1h", "--subject", "billing");
    const { jti, exp } = claimsOf(stdout) as { readonly jti: string; readonly exp: number };
    const record = read("issued-tokens.jsonl");
    expect(JSON.parse(record)).toMatchObject({
      made: "token",
      id: jti,
      subject: "billing",
      scope: "read",
      prefixes: [""],
    });
    const { expires } = JSON.parse(record) as { readonly expires: string };
    expect(Math.floor(Date.parse(expires) / 1_000)).toBe(exp);
    expect(record).not.toContain(stdout.toString().split(".")[2]?.trim());
    expect(modeOf("issued-tokens.jsonl")).toBe(0o600);
    // What cannot be written down is not made.
    rmSync(join(folder, "issued-tokens.jsonl"));
    mkdirSync(join(folder, "issued-tokens.jsonl"));
    const refused = await create("--scope", "read");
    expect([refused.exitCode, refused.stdout.toString()]).toEqual([2, ""]);
    expect(refused.stderr).toContain("INVALID_CONFIG");
  });

  it.each([
    ["a scope that is none", ["--scope", "root"], "Expected a scope out of"],
    ["admin for a prefix", ["--scope", "admin", "--prefix", "a"], "for all keys"],
    ["a node without an id", ["--scope", "node"], "the ids of nodes"],
    ["a reader with one", ["--scope", "read", "--node", "oslo"], "no ids of nodes"],
    ["a time that is none", ["--scope", "read", "--expires", "soon"], "INVALID_TTL"],
  ])("create makes none of %s", async (_, args, says) => {
    await run(["init", folder]);
    const { exitCode, stdout, stderr } = await create(...args);
    expect([exitCode, stdout.toString()]).toEqual([2, ""]);
    expect(stderr).toContain(says);
  });

  it("rotate trusts the key before, and signs with another", async () => {
    await run(["init", folder]);
    const before = JSON.parse(read("signing-key.json")) as { readonly kid: string };
    expect((await run(["token", "rotate", "--folder", folder])).exitCode).toBe(0);
    const after = JSON.parse(read("signing-key.json")) as { readonly kid: string };
    const { keys } = JSON.parse(read("token-keys.json")) as { readonly keys: readonly object[] };
    expect(keys).toMatchObject([{ kid: after.kid }, { kid: before.kid }]);
    expect(JSON.stringify(keys)).not.toContain('"d":');
    expect(modeOf("signing-key.json")).toBe(0o600);
  });
});

describe("a command", () => {
  it("shows the token of --token-file, or of the environment, and then none", async () => {
    const shown: (string | undefined)[] = [];
    const server = createPlainServer(({ headers }, answer) => {
      shown.push(headers.authorization);
      answer.end('{"nodes":[]}');
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const argv = ["nodes", "--directory", `http://127.0.0.1:${port}`];
    const path = join(folder, "..", "token");
    writeFileSync(path, "a.b.c\n");
    await run([...argv, "--token-file", path]);
    await run(argv, { env: { MERIDIAN_TOKEN: "d.e.f" } });
    await run(argv);
    expect(shown).toEqual(["Bearer a.b.c", "Bearer d.e.f", undefined]);
    expect((await run([...argv, "--token-file", "/none"])).exitCode).toBe(2);
    server.closeAllConnections();
  });

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
    expect((await run(argv)).stderr).toContain("UNABLE_TO_VERIFY_LEAF_SIGNATURE");
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
