import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { seededRandom, silentLogger } from "@meridian/runtime";
import { revocationKey } from "@meridian/protocol";
import { ManualClock } from "@meridian/testkit";
import {
  createToken,
  makeSigningKey,
  OwnToken,
  publicKeysOf,
  Revocations,
  REVOCATIONS_MAX,
  TokenVerifier,
  type RevokingEntry,
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
let revocations: Revocations;

beforeEach(async () => {
  clock = new ManualClock();
  const known = { ageMaxMs: 24 * HOUR_MS, knownAtMs: clock.nowMs() };
  revocations = new Revocations({ ...known, clock, logger: silentLogger });
  folder = mkdtempSync(join(tmpdir(), "meridian-tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  path = join(folder, "keys.json");
  key = await makeSigningKey();
  writeFileSync(path, JSON.stringify(publicKeysOf([key])));
});

const open = (): Promise<TokenVerifier> =>
  TokenVerifier.open({ path, cluster: "c", revocations, clock, logger: silentLogger });

async function headerOf(): Promise<string> {
  const nowMs = clock.nowMs();
  const grant = { scope: "read", prefixes: ["a:"], nodes: [], subject: "s" } as const;
  const wish = { ...grant, cluster: "c", nowMs, expiresAtMs: nowMs + HOUR_MS };
  return `Bearer ${(await createToken(key, wish, random)).token}`;
}

it("a signature is good in one spelling only", async () => {
  const [verifier, header] = [await open(), await headerOf()];
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const good: string[] = [];
  for (const letter of letters) {
    const spelling = header.slice(0, -1) + letter;
    await verifier.verify(spelling).then(
      () => good.push(spelling),
      (cause: unknown) => expect(cause).toMatchObject({ code: "UNAUTHENTICATED" }),
    );
  }
  expect(good).toEqual([header]);
});

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

  it("is no longer known once its key has been removed from the file", async () => {
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

describe("a token that has been revoked", () => {
  it("is refused, whether it was verified before or not, and others are accepted", async () => {
    const [verifier, header, other] = [await open(), await headerOf(), await headerOf()];
    const { id } = await verifier.verify(header);
    let voided = 0;
    verifier.onVoid(() => (voided += 1));
    await verifier.verify(other);
    const revoking = { key: revocationKey(id), deleted: false };
    // An expired revocation and another entry change nothing. The same revocation counts once.
    revocations.take([{ ...revoking, expiresAtMs: clock.nowMs() }]);
    revocations.take([{ key: `x${revocationKey(id)}`, expiresAtMs: 0, deleted: false }]);
    expect([voided, verifier.known(header)?.id]).toEqual([0, id]);
    revocations.take([{ ...revoking, expiresAtMs: clock.nowMs() + 2 * HOUR_MS }]);
    revocations.take([{ ...revoking, expiresAtMs: clock.nowMs() + 2 * HOUR_MS }]);
    expect([voided, verifier.known(header), verifier.known(other)]).toEqual([
      1,
      undefined,
      undefined,
    ]);
    await expect(verifier.verify(header)).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining("has been revoked"),
    });
    expect((await verifier.verify(other)).id).not.toBe(id);
  });

  it("is refused also if it was revoked during its verification", async () => {
    const [verifier, header] = [await open(), await headerOf()];
    const { jti: id } = JSON.parse(
      Buffer.from(header.split(".")[1] ?? "", "base64url").toString(),
    ) as { jti: string };
    const verified = verifier.verify(header);
    revocations.take([{ key: revocationKey(id), expiresAtMs: 0, deleted: false }]);
    await expect(verified).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(verifier.known(header)).toBeUndefined();
  });

  it("is remembered until it would have expired", () => {
    const expiresAtMs = clock.nowMs() + HOUR_MS;
    const entryOf = (id: string, untilMs: number): RevokingEntry => ({
      key: revocationKey(id),
      expiresAtMs: untilMs,
      deleted: false,
    });
    revocations.take([entryOf("b", expiresAtMs), entryOf("a", 0), entryOf("c", expiresAtMs)]);
    expect(revocations.size).toBe(3);
    clock.advance(HOUR_MS);
    expect(revocations.size).toBe(1);
  });
});

describe("more revoked tokens than can be remembered", () => {
  const entriesUpTo = (count: number, expiresAtMs: number): readonly RevokingEntry[] =>
    Array.from({ length: count }, (_, index) => {
      return { key: revocationKey(`t${index}`), expiresAtMs, deleted: false };
    });

  it("make the program refuse new revocations, until others expire", () => {
    revocations.take(entriesUpTo(REVOCATIONS_MAX / 2, clock.nowMs() + HOUR_MS));
    revocations.checkRoom("t0");
    expect(() => revocations.checkRoom("more")).toThrow(
      expect.objectContaining({
        code: "OVERLOADED",
        message: expect.stringContaining("token-keys.json"),
      }),
    );
    clock.advance(HOUR_MS);
    revocations.checkRoom("more");
  });

  it("make the program accept only young tokens, if they come from other programs", () => {
    revocations.confirm(clock.nowMs());
    const old = { issuedAtMs: clock.nowMs() - 48 * HOUR_MS };
    revocations.take(entriesUpTo(REVOCATIONS_MAX, 0));
    revocations.checkAge(old);
    revocations.take([{ key: revocationKey("more"), expiresAtMs: 0, deleted: false }]);
    expect(revocations.size).toBe(REVOCATIONS_MAX);
    expect(() => revocations.checkAge(old)).toThrow("--token-age-max");
  });
});

describe("a program that may not know of all revocations", () => {
  const DAY_MS = 24 * HOUR_MS;

  // The program last had all revocations at hour 0. Each row: the hour now, the hour at which the token was issued, and whether the program accepts it.
  it.each([
    [0, -1_000, true],
    [24, -1_000, true],
    [25, -1_000, false],
    [25, 0, false],
    [25, 1, true],
    [100, 75, false],
    [100, 76, true],
  ])("accepts at hour %d a token of hour %d: %s", (hour, made, taken) => {
    const wholeMs = clock.nowMs();
    clock.advance(hour * HOUR_MS);
    const takes = (): boolean => {
      try {
        revocations.checkAge({ issuedAtMs: wholeMs + made * HOUR_MS });
        return true;
      } catch {
        return false;
      }
    };
    expect(takes()).toBe(taken);
    revocations.confirm(clock.nowMs());
    expect(takes()).toBe(true);
  });

  it("accepts young tokens only, if it has never had all revocations", () => {
    const nowMs = clock.nowMs();
    const known = { ageMaxMs: DAY_MS, knownAtMs: 0, clock, logger: silentLogger };
    const fresh = new Revocations(known);
    fresh.checkAge({ issuedAtMs: nowMs - DAY_MS });
    expect(() => fresh.checkAge({ issuedAtMs: nowMs - DAY_MS - 1 })).toThrow("--token-age-max");
  });

  it("accepts young tokens only, if it cannot read some of its revocations", () => {
    revocations.lose();
    revocations.confirm(clock.nowMs());
    const issuedAtMs = clock.nowMs() - DAY_MS - 1;
    expect(() => revocations.checkAge({ issuedAtMs })).toThrow("--token-age-max");
    revocations.checkAge({ issuedAtMs: issuedAtMs + 1 });
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
  it("is read anew each time, and stays in use while the file has none", () => {
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

  it("is sent over TLS or to this machine only, unless `insecure` is set", () => {
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
