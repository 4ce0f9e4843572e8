import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { seededRandom, silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import {
  createToken,
  makeSigningKey,
  OwnToken,
  publicKeysOf,
  TokenVerifier,
  type SigningKey,
} from "@meridian/tokens";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";

const HOUR_MS = 3_600_000;
const WATCH_MS = 5_000;
const random = seededRandom(1);

let clock: ManualClock;
let folder: string;
let path: string;
let key: SigningKey;

beforeEach(async () => {
  clock = new ManualClock();
  folder = mkdtempSync(join(tmpdir(), "meridian-tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  path = join(folder, "keys.json");
  key = await makeSigningKey();
  writeFileSync(path, JSON.stringify(publicKeysOf([key])));
});

const open = (): Promise<TokenVerifier> =>
  TokenVerifier.open({ path, cluster: "c", clock, logger: silentLogger });

async function headerOf(): Promise<string> {
  const nowMs = clock.nowMs();
  const grant = { scope: "read", prefixes: ["a:"], nodes: [], subject: "s" } as const;
  const wish = { ...grant, cluster: "c", nowMs, expiresAtMs: nowMs + HOUR_MS };
  return `Bearer ${await createToken(key, wish, random)}`;
}

describe("a token that has been verified", () => {
  it("is known until it expires", async () => {
    const [verifier, header] = [await open(), await headerOf()];
    expect(verifier.known(header)).toBeUndefined();
    const principal = await verifier.verify(header);
    expect(principal).toMatchObject({ scope: "read", prefixes: ["a:"], nodes: [], subject: "s" });
    expect(verifier.known(header)).toBe(principal);
    clock.advance(HOUR_MS);
    expect(verifier.known(header)).toBeUndefined();
    clock.advance(10_000);
    await expect(verifier.verify(header)).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining("has expired"),
    });
  });

  it("is known no more once its key is gone from the file", async () => {
    const [verifier, header] = [await open(), await headerOf()];
    verifier.watch();
    onTestFinished(() => verifier.stop());
    await verifier.verify(header);
    writeFileSync(path, JSON.stringify(publicKeysOf([await makeSigningKey()])));
    clock.advance(WATCH_MS);
    await expect.poll(() => verifier.known(header)).toBeUndefined();
    await expect(verifier.verify(header)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });
});

describe("a file of keys", () => {
  it.each([
    ["nothing", ""],
    ["no keys", '{"keys":[]}'],
    ["null", "null"],
    ["a key of another kind", '{"keys":[{"kty":"EC","crv":"P-256","x":"a","y":"b","kid":"1"}]}'],
    ["a key without an id", '{"keys":[{"kty":"OKP","crv":"Ed25519","x":"a"}]}'],
  ])("with %s is refused", async (_, text) => {
    writeFileSync(path, text);
    await expect(open()).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });
});

describe("a program's own token", () => {
  it("is read anew each time, and the last one holds while it cannot be", () => {
    const file = join(folder, "own");
    writeFileSync(file, "a.b.c\n");
    const own = new OwnToken({ path: file, dials: ["https://x"], insecure: false });
    expect(own.headers).toEqual({ authorization: "Bearer a.b.c" });
    writeFileSync(file, "");
    expect(own.headers).toEqual({ authorization: "Bearer a.b.c" });
    writeFileSync(file, "d.e.f");
    expect(own.headers).toEqual({ authorization: "Bearer d.e.f" });
    expect(() => new OwnToken({ path: join(folder, "none"), dials: [], insecure: false })).toThrow(
      "ENOENT",
    );
  });

  it("is shown to nobody without TLS but this machine, unless told to", () => {
    const file = join(folder, "own");
    writeFileSync(file, "a.b.c");
    const show = (url: string, insecure = false): OwnToken =>
      new OwnToken({ path: file, dials: [url], insecure });
    for (const url of ["http://10.0.0.1:1", "http://localhost.example:1", "http://127.0.0.1.x"]) {
      expect(() => show(url)).toThrow("Expected `https:`");
      expect(show(url, true).headers).toHaveProperty("authorization");
    }
    for (const url of ["https://10.0.0.1", "http://127.0.0.1:1", "http://[::1]:1"]) {
      expect(show(url).headers).toHaveProperty("authorization");
    }
  });
});
