/**
 * Runs the program `nats-server` with JetStream on this machine, for logs of directories.
 *
 * A nats-server does not end with who started it. So a small shell runs it, which waits for the end of the IPC channel that every process of
 * `ManagedProcess` has, and then ends the server.
 */
import { spawnSync } from "node:child_process";

/** A server, and the cluster that it is a part of. */
export interface NatsServerSettings {
  readonly name: string;
  /** The port for clients, on 127.0.0.1. */
  readonly port: number;
  /** The folder for its streams; null to run without JetStream. */
  readonly store: string | null;
  /** The domain of its streams, by which others reach them through leaf nodes. */
  readonly domain?: string | undefined;
  /** Where it listens for the other servers, and where all of them do; null for a server alone. */
  readonly cluster: { readonly port: number; readonly routes: readonly number[] } | null;
}

const GUARD = `
"$@" 3<&- & server=$!
trap 'kill "$server"' TERM INT
{ read -r nothing <&3; kill "$server"; } >/dev/null 2>&1 & guard=$!
wait "$server"; code=$?
if kill -0 "$server" 2>/dev/null; then wait "$server"; code=$?; fi
kill "$guard" 2>/dev/null
exit "$code"`;

/** The version of the `nats-server` that is found by the `PATH` of an environment; undefined if there is none. */
export function natsServerVersion(env: NodeJS.ProcessEnv): string | undefined {
  const { status, stdout } = spawnSync("nats-server", ["--version"], { env, encoding: "utf8" });
  return status === 0 ? (/v(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? "unknown") : undefined;
}

/** The text of a server's configuration. */
export function natsServerConfig({
  name,
  port,
  store,
  domain,
  cluster,
}: NatsServerSettings): string {
  const lines = [`server_name: ${name}`, `listen: "127.0.0.1:${port}"`];
  const named = domain === undefined ? "" : `domain: ${domain}, `;
  if (store !== null) lines.push(`jetstream { ${named}store_dir: ${JSON.stringify(store)} }`);
  if (cluster !== null) {
    const routes = cluster.routes.map((route) => `"nats-route://127.0.0.1:${route}"`).join(", ");
    const listen = `listen: "127.0.0.1:${cluster.port}"`;
    lines.push(`cluster { name: meridian, ${listen}, routes: [${routes}] }`);
  }
  return `${lines.join("\n")}\n`;
}

/** The command that runs a server with a configuration file. It is for `ManagedProcess`, with which it ends. */
export function natsServerCommand(configFile: string): readonly string[] {
  return ["/bin/sh", "-c", GUARD, "nats-server", "nats-server", "-c", configFile];
}
