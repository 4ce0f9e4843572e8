/** TLS and users of a real nats-server: who is let in, and what is said to those who are not. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { FIVE_PLACES, getText, makeCredentials, putValue, startCluster } from "@meridian/harness";
import { openStreamLog, type StreamLog, type StreamLogOptions } from "@meridian/log-jetstream";
import { describe, expect, it, onTestFinished } from "vitest";

import {
  HAS_NATS,
  NATS_VERSION,
  NatsServers,
  type NatsOptions,
} from "../../support/nats-servers.ts";
import {
  jwtUsers,
  nkeyUsers,
  passwordUsers,
  tokenUsers,
  type NatsUsers,
} from "../../support/nats-users.ts";
import { logOptions, LogFolder } from "../../support/stream-logs.ts";

async function startServers(options: NatsOptions): Promise<NatsServers> {
  const servers = new NatsServers(options);
  onTestFinished(() => servers.stop());
  await servers.start();
  return servers;
}

/** Opens a log of the cluster `c`, which is closed when the test ends. */
async function open(
  servers: Pick<NatsServers, "url">,
  name: string,
  more: Partial<StreamLogOptions>,
): Promise<StreamLog> {
  const folder = new LogFolder();
  onTestFinished(() => folder.remove());
  const log = await openStreamLog(logOptions(servers, "c", folder.file(name), more));
  onTestFinished(() => log.close());
  return log;
}

function credentialsFile(servers: NatsServers, contents: string): string {
  const file = join(servers.folder, "credentials");
  writeFileSync(file, contents);
  return file;
}

function admitted(log: StreamLog, time: number): Promise<void> {
  return new Promise((resolve, reject) => {
    log.admit(time, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

const USERS: readonly (readonly [string, NatsUsers])[] = [
  ["a password, and no more permissions than OPERATIONS.md tells", passwordUsers("c")],
  ["a token", tokenUsers()],
  ["an nkey", nkeyUsers()],
  ["a JWT, in a `.creds` file", jwtUsers()],
];

describe.skipIf(!HAS_NATS)(`users of nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it.each(USERS)("that are known by %s are let in, and nobody else", async (_, users) => {
    const servers = await startServers({ config: users.config });
    const file = credentialsFile(servers, users.credentials);
    const first = await open(servers, "first", { credentials: file });
    await admitted(first, 900);
    await first.close();
    const second = await open(servers, "second", { credentials: file, silenceMs: 0 });
    expect(second.admittedTime).toBe(900);
    await expect(open(servers, "none", { credentials: null })).rejects.toThrow(
      "refuses the credentials",
    );
    writeFileSync(file, "somebody:else");
    await expect(open(servers, "other", { credentials: file })).rejects.toThrow(
      "refuses the credentials",
    );
  });

  it("are told what they may not, if they may less than a directory needs", async () => {
    const permissions = `{ publish: "meridian-c.>", subscribe: ["meridian-c.>", "_INBOX.>"] }`;
    const user = `{ user: u, password: p, permissions: ${permissions} }`;
    const servers = await startServers({ config: `authorization { users: [${user}] }` });
    const file = credentialsFile(servers, "u:p");
    await expect(open(servers, "less", { credentials: file })).rejects.toThrow(
      "does not let this user use JetStream",
    );
  });
});

describe.skipIf(!HAS_NATS)(`TLS of nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("is spoken by a directory with the certificates that it shows its nodes", async () => {
    const secure = await makeCredentials();
    const users = passwordUsers("meridian");
    const servers = await startServers({ config: `${tlsOf(secure.args)}\n${users.config}` });
    const url = servers.url.replace("nats:", "tls:");
    const file = credentialsFile(servers, users.credentials);
    const directoryArgs = [`--log=${url}`, `--log-credentials=${file}`];
    const cluster = await startCluster(FIVE_PLACES.slice(0, 2), { secure, directoryArgs });
    const [one, two] = cluster.regions;
    if (!one || !two) throw new Error("Expected two regions");
    await putValue(one.url, "key", "value", { ack: "all" });
    expect(await getText(two.url, "key")).toBe("value");
  });

  it("is refused with a server whose certificate nobody trusts, and where the server wants one that is not shown", async () => {
    const secure = await makeCredentials();
    const servers = await startServers({ config: tlsOf(secure.args) });
    const url = servers.url.replace("nats:", "tls:");
    const nothing = { caFile: null, certFile: null, keyFile: null };
    for (const [name, caFile, said] of [
      ["stranger", null, "unable to verify the first certificate"],
      ["shy", secure.caFile, "cannot be reached"],
      ["no-file", join(servers.folder, "none.pem"), "none.pem"],
    ] as const) {
      const tls = { ...nothing, caFile };
      await expect(open({ url }, name, { tls, patienceMs: 0 })).rejects.toThrow(said);
    }
  });
});

/** The configuration of a server with the certificates of a cluster, who demands one of its clients. */
function tlsOf(args: readonly string[]): string {
  const [cert, key, ca] = ["--tls-cert=", "--tls-key=", "--tls-ca="].map((name) =>
    args.find((arg) => arg.startsWith(name))?.slice(name.length),
  );
  return `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${ca}", verify: true }`;
}
