/** nginx as a contender: a file of its own, and a cache in front of a region. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "@meridian/local-cluster";

import { freePort } from "../../support/free-port.ts";
import type { BenchCredentials } from "../credentials.ts";
import type { HttpServed } from "./http-row.ts";
import type { Workplace } from "./workplace.ts";

const VALUE = "v".repeat(100);

/** How nginx is asked. */
export interface NginxWish {
  /** A server whose answers it keeps; without one, it serves a file. */
  readonly origin?: HttpServed;
  /** If it is given, nginx speaks TLS. */
  readonly tls?: Pick<BenchCredentials, "certFile" | "keyFile" | "fetch">;
}

/** The settings of an nginx that serves at a port, one worker, as this machine has few processors. */
export function nginxSettings(folder: string, port: number, { origin, tls }: NginxWish): string {
  const asRoot = process.getuid?.() === 0 ? ["user root;"] : [];
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
  const secure = tls && [`ssl_certificate ${tls.certFile};`, `ssl_certificate_key ${tls.keyFile};`];
  const served = origin
    ? [
        `proxy_pass ${new URL(origin.url).origin};`,
        'proxy_http_version 1.1; proxy_set_header Connection "";',
        "proxy_cache answers; proxy_cache_valid 200 1h;",
        "proxy_ignore_headers Cache-Control Expires Vary;",
        "add_header X-Cache $upstream_cache_status;",
      ]
    : [`root ${folder}/files; default_type text/plain;`];
  return [
    ...asRoot,
    "worker_processes 1;",
    `pid ${folder}/nginx.pid;`,
    `error_log ${folder}/error.log error;`,
    "events { worker_connections 4096; }",
    "http {",
    "access_log off; keepalive_requests 1000000000; open_file_cache max=100;",
    ...temporary.map((name) => `${name}_temp_path ${folder}/${name};`),
    `proxy_cache_path ${folder}/cache keys_zone=answers:10m use_temp_path=off;`,
    "server {",
    `listen 127.0.0.1:${port}${tls ? " ssl" : ""} backlog=1024;`,
    ...(secure ?? []),
    `location / { ${served.join(" ")} }`,
    "}",
    "}",
    "",
  ].join("\n");
}

/** Starts nginx with a value of 100 bytes. */
export async function serveNginx(workplace: Workplace, wish: NginxWish): Promise<HttpServed> {
  const { origin, tls } = wish;
  const folder = workplace.folder("nginx");
  const files = workplace.folder("nginx-files");
  writeFileSync(join(files, "value"), VALUE);
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  const settings = nginxSettings(folder, port, wish).replace(`${folder}/files`, files);
  writeFileSync(config, settings);
  const log = join(folder, "start.log");
  const command = ["nginx", "-e", log, "-p", folder, "-c", config, "-g", "daemon off;"];
  const nginx = workplace.spawn("nginx", command);
  const base = `${tls ? "https" : "http"}://127.0.0.1:${port}`;
  const url = `${base}${origin ? new URL(origin.url).pathname : "/value"}`;
  const ask = tls?.fetch ?? fetch;
  const check = async (): Promise<void> => {
    await origin?.check();
    await until("nginx answers", async () => (await ask(url, {})).ok);
    const answer = await ask(url, {});
    const got = await answer.text();
    if (got !== VALUE) throw new Error(`Expected the value of ${url}, got \`${got}\``);
    const cached = answer.headers.get("x-cache");
    if (origin && cached !== "HIT") throw new Error(`Expected a hit of nginx, got ${cached}`);
  };
  const stop = async (): Promise<void> => {
    await nginx.stop();
    await origin?.stop();
  };
  return { url, pids: [nginx.pid ?? NaN, ...(origin?.pids ?? [])], check, stop };
}
