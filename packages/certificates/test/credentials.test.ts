import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Credentials, type CredentialFiles, type ServerCredentials } from "@meridian/certificates";
import { Authority, type MadeCertificate } from "@meridian/certificates/authority";
import type { LogLevel, Logger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";

const WATCH_MS = 5_000;
const HOST = ["a.example"];

let root: Authority;
let middle: Authority;
let one: MadeCertificate;
let two: MadeCertificate;
let short: MadeCertificate;
let chained: MadeCertificate;

const now = { nowMs: new ManualClock().nowMs() };

beforeAll(async () => {
  root = await Authority.create("root", { ...now, days: 900 });
  middle = await root.intermediate("middle", { ...now, days: 900 });
  one = await root.issue({ hosts: HOST, ...now, days: 90 });
  two = await root.issue({ hosts: HOST, ...now, days: 90 });
  short = await root.issue({ hosts: HOST, ...now, days: 15 });
  chained = await middle.issue({ hosts: HOST, ...now, days: 90 });
});

let clock: ManualClock;
let lines: string[];
let folder: string;
let files: CredentialFiles;

const written = (): { [File in keyof CredentialFiles]: string } => ({
  tlsCert: join(folder, "cert.pem"),
  tlsKey: join(folder, "key.pem"),
  tlsCa: join(folder, "ca.pem"),
  tlsClientCa: join(folder, "client-ca.pem"),
});

beforeEach(() => {
  clock = new ManualClock();
  lines = [];
  folder = mkdtempSync(join(tmpdir(), "meridian-credentials-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  files = { ...written(), tlsCa: null, tlsClientCa: null };
  write(one);
  writeFileSync(written().tlsCa, root.cert);
});

function write(made: Partial<MadeCertificate> = {}): void {
  if (made.cert !== undefined) writeFileSync(written().tlsCert, made.cert);
  if (made.key !== undefined) writeFileSync(written().tlsKey, made.key);
}

function logger(): Logger {
  const log = (level: LogLevel) => (message: string, fields?: object) =>
    void lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  return { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") };
}

/** Reads the files, and watches them. */
async function open(): Promise<{ credentials: Credentials; taken: ServerCredentials[] }> {
  const credentials = await Credentials.open({ files, clock, logger: logger() });
  const taken: ServerCredentials[] = [];
  credentials.watch((server) => void taken.push(server));
  onTestFinished(() => credentials.stop());
  return { credentials, taken };
}

/** Lets the files be looked at once, whatever comes of it. */
async function look(): Promise<void> {
  clock.advance(WATCH_MS);
  await expect.poll(() => clock.timers).toBe(1);
}

describe("the files of a program", () => {
  it.each<[string, () => void, RegExp]>([
    ["no file", () => rmSync(written().tlsCert), /read `.*cert\.pem` \(--tls-cert\): ENOENT/],
    ["nothing", () => write({ cert: "" }), /whole certificates .*--tls-cert\), got none/],
    ["half a certificate", () => write({ cert: one.cert.slice(0, 300) }), /one that is cut off/],
    [
      "half an intermediate certificate",
      () => write({ ...chained, cert: chained.cert.slice(0, -200) }),
      /one that is cut off/,
    ],
    ["a key instead", () => write({ cert: one.key }), /got something else, or one that is cut off/],
    ["half a key", () => write({ key: one.key.slice(0, 100) }), /private key .* is cut off/],
    ["another one's key", () => write({ key: two.key }), /got another one's/],
  ])("are refused with %s", async (_, spoil, says) => {
    spoil();
    await expect(open()).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(says),
    });
    expect(lines).toEqual([]);
  });

  it("are never quoted where they are refused", async () => {
    write({ key: `${one.key.slice(0, 100)}\n` });
    const failure: unknown = await open().catch((cause: unknown) => cause);
    expect(String(failure)).not.toContain(one.key.slice(40, 90));
  });

  it.each<[Partial<CredentialFiles>, string]>([
    [{ tlsKey: null }, "`--tls-key` beside `--tls-cert`"],
    [{ tlsCert: null }, "`--tls-cert` beside `--tls-key`"],
    [{ tlsCert: null, tlsKey: null, tlsClientCa: "x" }, "`--tls-cert` beside `--tls-client-ca`"],
  ])("must be named together (%j)", async (some, says) => {
    files = { ...files, ...some };
    await expect(open()).rejects.toThrow(says);
  });

  it("may be none", async () => {
    files = { tlsCert: null, tlsKey: null, tlsCa: null, tlsClientCa: null };
    const { credentials } = await open();
    expect(credentials.server).toBeUndefined();
    expect(credentials.dialing).toEqual({ minVersion: "TLSv1.2" });
    expect(clock.timers).toBe(0);
  });

  it("are not read where they are not used", async () => {
    files = { tlsCert: "/none", tlsKey: "/none", tlsCa: "/none", tlsClientCa: "/none" };
    const unused = { files, plain: true, dials: ["http://a"], clock, logger: logger() };
    expect((await Credentials.open(unused)).server).toBeUndefined();
    for (const used of [{ plain: false }, { dials: ["http://a", "https://b"] }]) {
      await expect(Credentials.open({ ...unused, ...used })).rejects.toThrow("ENOENT");
    }
  });

  it("give what to dial with to who listens without TLS", async () => {
    const options = { files, plain: true, dials: ["https://a"], clock, logger: logger() };
    const credentials = await Credentials.open(options);
    credentials.watch(() => expect.unreachable());
    onTestFinished(() => credentials.stop());
    write(two);
    await credentials.reload();
    expect(credentials.server).toBeUndefined();
    expect(credentials.dialing).toEqual({ ...two, minVersion: "TLSv1.2" });
  });

  it("give what to listen and to dial with", async () => {
    files = { ...written(), tlsClientCa: written().tlsCa };
    const { credentials } = await open();
    expect(credentials.server).toEqual({ ...one, clientCa: root.cert });
    expect(credentials.dialing).toEqual({ ...one, ca: root.cert, minVersion: "TLSv1.2" });
    expect(lines).toEqual([]);
  });
});

describe("files that change", () => {
  it("are read again, the certificate and its key whatever order they are written in", async () => {
    const { credentials, taken } = await open();
    write({ cert: two.cert });
    await look();
    expect(lines.splice(0)).toEqual([
      expect.stringMatching(
        /^error certificates cannot be used; the previous ones stay in use .*another/,
      ),
    ]);
    await look();
    expect([lines, taken, credentials.server]).toEqual([[], [], one]);
    write({ key: two.key });
    await look();
    expect([taken, credentials.server]).toEqual([[two], two]);
    expect(lines).toEqual([expect.stringMatching(/^info certificates were read again/)]);
    await look();
    expect(lines.length).toBe(1);
  });

  it("are not looked at after the end", async () => {
    const { credentials } = await open();
    credentials.stop();
    expect(clock.timers).toBe(0);
  });

  it("are told of each time that the program is told to read them", async () => {
    const { credentials, taken } = await open();
    write({ cert: two.cert.slice(0, 200) });
    await credentials.reload();
    await credentials.reload();
    expect(lines.length).toBe(2);
    write(two);
    await credentials.reload();
    expect(taken).toEqual([two]);
  });

  it("leave those before in use where the server cannot take them", async () => {
    const { credentials } = await open();
    credentials.watch(() => {
      throw new Error("no");
    });
    write(two);
    await credentials.reload();
    expect(credentials.server).toEqual(one);
    expect(lines).toEqual([expect.stringContaining(": no")]);
  });
});

describe("an operator is told", () => {
  it("once a day that a certificate expires soon, and that it has expired", async () => {
    write(short);
    await open();
    expect(lines).toEqual([]);
    clock.jump(2 * 86_400_000);
    await look();
    await look();
    expect(lines.splice(0)).toEqual([expect.stringMatching(/^warn a certificate expires soon/)]);
    clock.jump(20 * 86_400_000);
    await look();
    expect(lines).toEqual([expect.stringMatching(/^error a certificate has expired/)]);
  });

  it("that an intermediate certificate is missing", async () => {
    files = { ...files, tlsCa: written().tlsCa };
    write(chained);
    await open();
    expect(lines).toEqual([]);
    const [leaf] = chained.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
    write({ ...chained, cert: leaf ?? "" });
    await open();
    expect(lines).toEqual([expect.stringContaining("Is an intermediate certificate missing?")]);
  });

  it("that a certificate is not good yet", async () => {
    write(one);
    clock.jump(-30 * 86_400_000);
    await open();
    expect(lines).toEqual([expect.stringMatching(/^error the certificate is not good yet/)]);
  });
});

describe("an authority", () => {
  it.each(["", "a b", "http://a", "-a", "a..b", "a/b", "*"])(
    "makes no certificate for `%s`",
    async (host) => {
      await expect(root.issue({ hosts: [host], ...now, days: 1 })).rejects.toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    },
  );

  it("that was made before makes certificates that it vouches for", async () => {
    const loaded = await Authority.load(root);
    const made = await loaded.issue({ hosts: HOST, ...now, days: 1 });
    files = { ...files, tlsCa: written().tlsCa };
    write(made);
    await open();
    expect(lines).toEqual([expect.stringMatching(/^warn a certificate expires soon/)]);
    await expect(Authority.load({ cert: root.cert, key: "no" })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });

  it("makes none for nobody", async () => {
    await expect(root.issue({ hosts: [], ...now, days: 1 })).rejects.toThrow("Expected a host");
  });
});
