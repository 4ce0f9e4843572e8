/** Where the log of a development cluster lies: in the directories' folders, or in a stream of three nats-servers, which this file describes. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { natsServerCommand, natsServerConfig, natsServerVersion } from "@meridian/local-cluster";
import { MeridianError } from "@meridian/protocol";

/** The kinds of logs. */
export type LogKind = "sqlite" | "nats";

/** The names of the servers. */
export const SERVER_NAMES: readonly string[] = ["nats-1", "nats-2", "nats-3"];

/** How many ports the servers take: each listens for clients, and for the other servers. */
export const NATS_PORTS: number = 2 * SERVER_NAMES.length;

/** The first version that directories work with. */
const VERSION_MIN = [2, 9] as const;

const INSTALL =
  "install it with `apt install nats-server` (Debian, Ubuntu) or `brew install nats-server` (macOS), or take it from https://github.com/nats-io/nats-server/releases";

/** Throws `INVALID_CONFIG`, with what to do, if no nats-server is found that directories work with. */
export function checkNatsServer(env: NodeJS.ProcessEnv): void {
  const version = natsServerVersion(env);
  const [major = 0, minor = 0] = (version ?? "").split(".").map(Number);
  const isLater = major > VERSION_MIN[0] || (major === VERSION_MIN[0] && minor >= VERSION_MIN[1]);
  if (version !== undefined && isLater) return;
  const wanted = `Expected the program \`nats-server\` ${VERSION_MIN.join(".")} or later in the PATH, for \`--log nats\``;
  throw new MeridianError("INVALID_CONFIG", `${wanted}, got ${version ?? "none"}; ${INSTALL}`);
}

/** A nats-server to run. */
export interface DevServer {
  readonly name: string;
  readonly command: readonly string[];
}

/** The value of `--log` for servers at these ports: those for clients are first. */
export function logAddress(ports: readonly number[]): string {
  const servers = SERVER_NAMES.map((_, index) => `127.0.0.1:${ports[index] ?? 0}`);
  return `nats://${servers.join(",")}`;
}

/** Writes the configurations of the servers into a folder, in which they also keep their streams. */
export function writeServers(folder: string, ports: readonly number[]): readonly DevServer[] {
  const routes = ports.slice(SERVER_NAMES.length);
  return SERVER_NAMES.map((name, index) => {
    const port = ports[index] ?? 0;
    const store = join(folder, name);
    const file = `${store}.conf`;
    mkdirSync(store, { recursive: true });
    const cluster = { port: routes[index] ?? 0, routes };
    writeFileSync(file, natsServerConfig({ name, port, store, cluster }));
    return { name, command: natsServerCommand(file) };
  });
}

/** Whether a line of a nats-server tells that something is wrong. */
export function isNews(line: string): boolean {
  return !/\[(INF|DBG|TRC)\]/.test(line);
}
