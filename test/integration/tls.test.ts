/** Both programs over TLS, in this process: which certificates are trusted, which are refused, and that links survive a renewal. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Authority, type CertificateWish } from "@meridian/certificates/authority";
import { runCli } from "@meridian/cli";
import { startDirectory, type DirectoryOptions, type RunningDirectory } from "@meridian/directory";
import { startSmallRegion, until, type SmallRegion } from "@meridian/harness";
import type { RunningRegion } from "@meridian/region";
import { silentLogger, systemClock, type Logger } from "@meridian/runtime";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "meridian-tls-"));
const validity = { nowMs: systemClock.nowMs(), days: 2 };

let root: Authority;
let ca: string;
let count = 0;

/** Files of a certificate, as the options of a program name them. */
interface Files {
  readonly tlsCert: string;
  readonly tlsKey: string;
}

beforeAll(async () => {
  root = await Authority.create("root", validity);
  ca = file("ca", root.cert);
});

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, `${name}-${(count += 1)}.pem`);
  writeFileSync(path, text);
  return path;
}

async function filesOf(authority = root, wish: Partial<CertificateWish> = {}): Promise<Files> {
  const made = await authority.issue({ hosts: ["127.0.0.1"], ...validity, ...wish });
  return { tlsCert: file("cert", made.cert), tlsKey: file("key", made.key) };
}

async function directoryWith(options: Partial<DirectoryOptions>): Promise<RunningDirectory> {
  const directory = await startDirectory({
    port: 0,
    cluster: "test",
    logger: silentLogger,
    data: join(folder, `directory-${(count += 1)}`),
    ...options,
  });
  onTestFinished(() => directory.stop());
  return directory;
}

async function regionWith(options: Partial<SmallRegion> & { directory: readonly string[] }) {
  const id = `region-${(count += 1)}`;
  const lines: string[] = [];
  const log = (message: string, fields: object = {}): void =>
    void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: log, info: log, warn: log, error: log };
  const region = await startSmallRegion({ id, data: join(folder, id), logger, ...options });
  onTestFinished(() => region.stop());
  return { region, lines };
}

const ready = (region: RunningRegion): Promise<unknown> =>
  until("the region is ready", () => region.status === "ready");

/** The JSON at a URL, for a client that trusts only `trusted`. */
async function ask(url: string, trusted = root.cert): Promise<unknown> {
  const asked = request(url, { ca: trusted, agent: false });
  asked.end();
  const [answer] = await once(asked, "response");
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  return JSON.parse(text);
}

/** What the command prints. */
async function meridian(argv: readonly string[]): Promise<string> {
  let said = "";
  const write = (text: string | Uint8Array): void => void (said += String(text));
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env: {}, colour: false };
  await runCli(argv, io);
  return said;
}

describe("a region over TLS", () => {
  it("joins a directory over TLS, and is offered to clients by an https URL", async () => {
    const directory = await directoryWith(await filesOf());
    expect(directory.url).toMatch(/^https:/);
    const files = await filesOf();
    const { region } = await regionWith({ ...files, tlsCa: ca, directory: [directory.url] });
    await ready(region);
    const { nodes } = (await ask(`${directory.url}/nearest?lat=1&lon=2`)) as {
      nodes: readonly { url: string }[];
    };
    expect(nodes).toMatchObject([{ url: region.url, ip: "127.0.0.1" }]);
    expect(region.url).toMatch(/^https:/);
    expect(await ask(`${region.url}/readyz`)).toMatchObject({ status: "ready" });

    const doctor = await meridian(["doctor", "--json", "--ca", ca, "--directory", directory.url]);
    const { complaints } = JSON.parse(doctor) as { complaints: readonly { kind: string }[] };
    // The certificates of this test are valid for two days, and `doctor` reports those that expire within 14.
    const expires = "certificate-expires";
    expect(complaints.map(({ kind }) => kind)).toEqual(["one-directory", expires, expires]);
    const top = await meridian(["top", "--once", "--ca", ca, "--directory", directory.url]);
    expect(top).toMatch(/\nregion-\d+ +ready +\d+ +0 +/);
  });

  it("is listed under the address of `--ip`", async () => {
    const directory = await directoryWith({});
    const { region } = await regionWith({
      ...(await filesOf()),
      ip: "::1",
      directory: [directory.url],
    });
    await ready(region);
    const { nodes } = (await (await fetch(`${directory.url}/nodes`)).json()) as {
      nodes: readonly object[];
    };
    expect(nodes).toMatchObject([{ url: `https://[::1]:${region.port}` }]);
  });

  it("needs `--url` if it listens on all addresses", async () => {
    const files = await filesOf();
    const started = regionWith({ ...files, host: "0.0.0.0", directory: ["http://127.0.0.1:1"] });
    await expect(started).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringContaining("Expected `--url` beside `--tls-cert`"),
    });
  });
});

describe("a directory that asks for certificates", () => {
  it("accepts a region that shows one, and tells others what they lack", async () => {
    const directory = await directoryWith({ ...(await filesOf()), tlsClientCa: ca });
    const common = { tlsCa: ca, directory: [directory.url] };
    const { region } = await regionWith({ ...common, ...(await filesOf()) });
    const foreign = await filesOf(await Authority.create("other", validity));
    const refused = [await regionWith(common), await regionWith({ ...common, ...foreign })];
    await ready(region);
    for (const { region: other, lines } of refused) {
      await until("the region says why", () =>
        lines.find((line) => line.includes("FORBIDDEN: Expected a link with a certificate")),
      );
      // A region that no directory has admitted is `joining`, and `standalone` after three seconds.
      expect(["joining", "standalone"]).toContain(other.status);
    }
  });

  it("is followed by a directory that shows one", async () => {
    const files = await filesOf();
    const first = await directoryWith({ ...files, tlsClientCa: ca });
    const second = await directoryWith({ ...files, tlsCa: ca, peer: [first.url] });
    const follows = until("the second follows the first", async () => {
      const { peers } = (await ask(`${second.url}/status`)) as {
        peers: readonly { connected: boolean }[];
      };
      return peers[0]?.connected === true;
    });
    expect(await follows).toBe(true);
  });
});

describe("certificates that are renewed", () => {
  it("serve new connections, while links stay up", async () => {
    const files = await filesOf();
    const directory = await directoryWith(files);
    const { region, lines } = await regionWith({ tlsCa: ca, directory: [directory.url] });
    await ready(region);
    const other = await Authority.create("other", validity);
    const made = await other.issue({ hosts: ["127.0.0.1"], ...validity });
    // The directory reads half a certificate, and goes on with the old one.
    writeFileSync(files.tlsCert, made.cert.slice(0, 200));
    await directory.reload();
    expect(await ask(`${directory.url}/healthz`)).toEqual({ status: "ok" });
    writeFileSync(files.tlsCert, made.cert);
    writeFileSync(files.tlsKey, made.key);
    await directory.reload();
    await expect(ask(`${directory.url}/healthz`)).rejects.toThrow(/verify/);
    expect(await ask(`${directory.url}/healthz`, other.cert)).toEqual({ status: "ok" });
    const { nodes } = (await ask(`${directory.url}/nodes`, other.cert)) as {
      nodes: readonly { status: string }[];
    };
    expect(nodes).toMatchObject([{ status: "ready" }]);
    expect(lines.filter((line) => line.startsWith("link to the directory closed"))).toEqual([]);
  });
});
