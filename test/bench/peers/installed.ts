/** Which peers this machine has. */
import { spawnSync } from "node:child_process";

/** A program of a peer. */
export interface Peer {
  /** The name of the program, and of Debian's package with it. */
  readonly name: string;
  readonly versionArgs: readonly string[];
}

/** The programs that the rows use. */
export const PEERS: readonly Peer[] = [
  { name: "wrk", versionArgs: ["-v"] },
  { name: "redis-server", versionArgs: ["--version"] },
  { name: "webdis", versionArgs: [] },
  { name: "nginx", versionArgs: ["-v"] },
  { name: "nats-server", versionArgs: ["--version"] },
];

/** The version in what a program prints; `unknown` if it prints none. */
export function parseVersion(printed: string): string {
  return /\d+\.\d+(?:\.\d+)*/.exec(printed)?.[0] ?? "unknown";
}

/** The version of each peer that is installed. webdis does not tell its own. */
export function installedPeers(): ReadonlyMap<string, string> {
  const versions = new Map<string, string>();
  for (const { name, versionArgs } of PEERS) {
    const found = spawnSync("which", [name], { encoding: "utf8" });
    if (found.status !== 0) continue;
    if (versionArgs.length === 0) {
      const packaged = spawnSync("dpkg-query", ["-W", "-f=${Version}", name], { encoding: "utf8" });
      versions.set(name, parseVersion(packaged.stdout ?? ""));
      continue;
    }
    const { stdout, stderr } = spawnSync(name, versionArgs, { encoding: "utf8" });
    versions.set(name, parseVersion(`${stdout} ${stderr}`));
  }
  return versions;
}
