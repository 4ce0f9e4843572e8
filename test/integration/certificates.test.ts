/**
 * What may be wrong with a certificate, at every place where one is read: who dials is told what to do in the words of a coded error, a program that
 * runs keeps what it has and says so, and one that starts does not start with what nobody could use.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectSecurely } from "node:tls";

import { Authority, type MadeCertificate } from "@meridian/certificates/authority";
import { runCli } from "@meridian/cli";
import { connect } from "@meridian/client";
import { startDirectory } from "@meridian/directory";
import { clusterFetch, startSmallRegion, trustAuthority } from "@meridian/harness";
import { asMeridianError } from "@meridian/protocol";
import type { RunningRegion } from "@meridian/region";
import { silentLogger, systemClock, type Logger } from "@meridian/runtime";
import { dialLink } from "@meridian/transport";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const DAY_MS = 86_400_000;
/** A directory that is not there, over TLS: only so is `--tls-ca` of use. */
const NOBODY = "https://127.0.0.1:9";
/** Clients go on trying for so long. */
const deadlineMs = 4_000;
const folder = mkdtempSync(join(tmpdir(), "meridian-certificates-"));
const validity = { nowMs: systemClock.nowMs(), days: 30 };
const wish = { hosts: ["127.0.0.1"], ...validity };
const firstOf = (chain: string): string => chain.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? "";

let root: Authority;
let middle: Authority;
let other: Authority;
let good: MadeCertificate;
let ca: string;
let count = 0;

beforeAll(async () => {
  root = await Authority.create("root", validity);
  middle = await root.intermediate("middle", validity);
  other = await Authority.create("other", validity);
  good = await root.issue(wish);
  ca = written("ca", root.cert);
  trustAuthority(root.cert);
});

afterAll(() => rmSync(folder, { recursive: true }));

/** What may be wrong, and who finds out by which words: who dials, who is dialled, the program itself when it reads the files. */
interface Fault {
  readonly make: () => Promise<MadeCertificate> | MadeCertificate;
  /** What whoever dials a server with it is told; undefined where no server can have it. */
  readonly dialled?: RegExp;
  /** What whoever dials with it is told by a server that asks for certificates; undefined where that does not matter, or cannot be. */
  readonly shown?: RegExp;
  readonly read: RegExp;
  /** Whether a program starts with it. */
  readonly starts: boolean;
}

const FAULTS: Readonly<Record<string, Fault>> = {
  "has expired": {
    make: () => root.issue({ ...wish, days: -1 }),
    dialled: /its certificate has expired\. It has to be renewed/,
    shown: /whose certificate has expired/,
    read: /a certificate has expired; peers refuse it/,
    starts: true,
  },
  "is not good yet": {
    make: () => root.issue({ ...wish, nowMs: validity.nowMs + 2 * DAY_MS }),
    dialled: /its certificate is not good yet\. Is the clock right/,
    shown: /whose certificate is not good yet/,
    read: /the certificate is not good yet/,
    starts: true,
  },
  "is for another host": {
    make: () => root.issue({ ...wish, hosts: ["b.example"] }),
    dialled: /its certificate is for other hosts than the one that was asked: for DNS:b\.example/,
    read: /the certificate is not for `127\.0\.0\.1`/,
    starts: true,
  },
  "is of another authority": {
    make: () => other.issue(wish),
    dialled: /its certificate leads to no authority that is trusted here/,
    shown: /whose certificate leads to no authority/,
    read: /does not lead to an authority of --tls-ca/,
    starts: true,
  },
  "lacks an intermediate": {
    make: async () => {
      const { cert, key } = await middle.issue(wish);
      return { cert: firstOf(cert), key };
    },
    dialled: /does the other end send the intermediate certificates, too\?/,
    shown: /whose certificate leads to no authority/,
    read: /Is an intermediate certificate missing\?/,
    starts: true,
  },
  "is written in half": {
    make: () => ({ cert: good.cert.slice(0, 300), key: good.key }),
    read: /Expected whole certificates as PEM in `.*` \(--tls-cert\)/,
    starts: false,
  },
  "has a key that is written in half": {
    make: () => ({ cert: good.cert, key: good.key.slice(0, 100) }),
    read: /Expected a private key as PEM without a passphrase in `.*` \(--tls-key\)/,
    starts: false,
  },
  "has another one's key": {
    make: async () => ({ cert: good.cert, key: (await root.issue(wish)).key }),
    read: /to be that of the certificate in `.*` \(--tls-cert\), got another one's/,
    starts: false,
  },
};

const faults = Object.entries(FAULTS);

function written(name: string, text: string): string {
  const path = join(folder, `${name}-${(count += 1)}.pem`);
  writeFileSync(path, text);
  return path;
}

function filesOf({ cert, key }: MadeCertificate) {
  return { tlsCert: written("cert", cert), tlsKey: written("key", key) };
}

function listening(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = [];
  const log = (message: string, fields: object = {}): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { lines, logger: { debug: log, info: log, warn: log, error: log } };
}

async function directoryWith(made: MadeCertificate, tlsClientCa: string | null = null) {
  const data = join(folder, `directory-${(count += 1)}`);
  const files = { ...filesOf(made), tlsCa: ca, tlsClientCa };
  const given = { port: 0, cluster: "test", data, logger: silentLogger, ...files };
  const directory = await startDirectory(given);
  onTestFinished(() => directory.stop());
  return directory;
}

/** What the command writes, and what it ends with. */
async function meridian(...argv: readonly string[]): Promise<string> {
  let said = "";
  const write = (text: string | Uint8Array): void => void (said += String(text));
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env: {}, colour: false };
  return `${await runCli([...argv, "--ca", ca], io)} ${said}`;
}

/** Why a link does not open. */
function linkedTo(url: string, credentials: Partial<MadeCertificate> = {}): Promise<string> {
  return new Promise((resolve) => {
    const events = {
      onOpen: () => resolve("opened"),
      onClose: (_: number, reason: string) => resolve(reason),
      onMessage: () => {},
      onPart: () => {},
      onDrain: () => {},
    };
    const options = { logger: silentLogger, credentials: { ca: root.cert, ...credentials } };
    const link = dialLink(`${url}/replicate`, events, options);
    onTestFinished(() => link.close(1000, ""));
  });
}

/** The places that dial a server, by what each says of one whose certificate is not right. */
const DIALS: Readonly<Record<string, (url: string) => Promise<string>>> = {
  "a link": (url) => linkedTo(url),
  "a client": async (directory) => {
    const location = { lat: 1, lon: 2 };
    return connect({ directory, location, fetch: clusterFetch, deadlineMs }).then(
      () => "ok",
      String,
    );
  },
  "a client of a node": async (url) => {
    const client = await connect({ nodes: [url], fetch: clusterFetch, deadlineMs });
    onTestFinished(() => client.close());
    return client.set("key", 1).then(() => "ok", String);
  },
  "the command, to a directory": (url) => meridian("nodes", "--directory", url),
  "the command, for a backup": (url) =>
    meridian("backup", "directory", url, "--out", join(folder, "b")),
  "a region that joins": async (url) => {
    const data = join(folder, `region-${(count += 1)}`);
    const started = startSmallRegion({ id: "a", data, tlsCa: ca, join: [url] });
    return started.then(() => "started", String);
  },
};

it("servers with a certificate that is not right are refused by all who dial, with a remedy", async () => {
  const said = faults.map(async ([what, { make, dialled }]) => {
    if (dialled === undefined) return [];
    const { url } = await directoryWith(await make());
    const dials = Object.entries(DIALS);
    return Promise.all(
      dials.map(async ([place, dial]) => ({
        place: `${place}: ${what}`,
        words: await dial(url),
        dialled,
      })),
    );
  });
  const all = (await Promise.all(said)).flat();
  expect(all.length).toBe(5 * Object.keys(DIALS).length);
  expect(all.filter(({ words, dialled }) => !dialled.test(words))).toEqual([]);
});

describe.each(faults)("a certificate that %s", (_, { make, shown, read, starts }) => {
  it.skipIf(shown === undefined)("opens no link, and who shows it is told why", async () => {
    const { url } = await directoryWith(good, ca);
    expect(await linkedTo(url, good)).toBe("opened");
    const reason = await linkedTo(url, await make());
    expect(reason).toMatch(/^FORBIDDEN: Expected a link with a certificate/);
    expect(reason).toMatch(shown ?? "");
    expect(reason).not.toContain(folder);
    expect(reason).not.toContain("CN=");
  });

  it("is told of at the start, and keeps a program from starting where nobody could use it", async () => {
    const data = join(folder, `region-${(count += 1)}`);
    const { lines, logger } = listening();
    const files = { ...filesOf(await make()), tlsCa: ca };
    const starting = startSmallRegion({ id: "a", data, logger, ...files, directory: NOBODY });
    const refusal = await starting.then(
      (region) => region.stop(),
      (failure: unknown) => asMeridianError(failure),
    );
    expect(refusal?.code).toBe(starts ? undefined : "INVALID_CONFIG");
    expect([...lines, String(refusal)]).toContainEqual(expect.stringMatching(read));
  });
});

describe("a region that runs", () => {
  let region: RunningRegion;
  const { lines, logger } = listening();
  let files: ReturnType<typeof filesOf>;

  beforeAll(async () => {
    files = filesOf(good);
    const data = join(folder, "running");
    const given = { id: "a", data, logger, ...files, tlsCa: ca, directory: NOBODY };
    region = await startSmallRegion(given);
  });

  afterAll(() => region.stop());

  /** The certificate that new connections are shown. */
  async function served(): Promise<string> {
    const { port } = region;
    const socket = connectSecurely({ port, host: "127.0.0.1", rejectUnauthorized: false });
    await once(socket, "secureConnect");
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return raw.toString("base64");
  }

  async function reloadWith({ cert, key }: MadeCertificate): Promise<void> {
    writeFileSync(files.tlsCert, cert);
    writeFileSync(files.tlsKey, key);
    lines.length = 0;
    await region.reload();
  }

  it.each(faults)("keeps what it has where the new certificate %s", async (_, { make, read }) => {
    const before = await served();
    await reloadWith(await make());
    const said = lines.filter((line) => line.startsWith("certificates cannot be used"));
    expect(said).toEqual([expect.stringMatching(/the previous ones stay in use.*INVALID_CONFIG/)]);
    expect(said[0]).toMatch(read);
    expect(await served()).toBe(before);
    await reloadWith(await root.issue(wish));
    expect(await served()).not.toBe(before);
  });
});

it("who shows none opens no link where certificates are asked for", async () => {
  const { url } = await directoryWith(good, ca);
  expect(await linkedTo(url)).toMatch(/^FORBIDDEN: .*, got one without$/);
});
