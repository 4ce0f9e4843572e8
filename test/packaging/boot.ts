/**
 * The package of Debian on a machine of its own, with systemd as its first process: a container that debootstrap makes and
 * systemd-nspawn boots. Needs root, both of these, and a mirror of Debian; takes some five minutes.
 *
 *   npm run hunt:systemd -- [--root <folder that debootstrap has filled>]
 */
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";

import { ROOT } from "@meridian/harness";
import { until } from "@meridian/local-cluster";

import { packPrograms } from "./pack-programs.ts";

const { values } = parseArgs({ options: { root: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "meridian-machine-"));
const machine = values.root ?? join(folder, "root");
/** How long the machine may take for a step, in milliseconds. It boots in some seconds where nothing else runs. */
const PATIENCE_MS = 180_000;
const SECRETS = "/etc/meridian/secrets";
const ENVIRONMENT = ["-i", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/root"];

function run(file: string, args: readonly string[]): string {
  return execFileSync(file, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

if (!existsSync(join(machine, "etc"))) {
  const included = "--include=systemd,systemd-sysv,libstdc++6";
  run("debootstrap", ["--variant=minbase", included, "bookworm", machine]);
}
run("npx", ["turbo", "run", "build", "--output-logs=errors-only"]);
const { debian } = packPrograms({ clone: ROOT, out: join(folder, "release"), level: 1 });
const packages = [debian.tree, debian.command];
for (const file of packages) copyFileSync(file, join(machine, "root", basename(file)));
run("chroot", [machine, "dpkg", "-i", ...packages.map((file) => join("/root", basename(file)))]);

const boot = ["-D", machine, "--boot", "--register=no", "--keep-unit", "--private-network"];
const container = spawn("systemd-nspawn", [...boot, "--console=pipe"], { stdio: "ignore" });
const ended = new Promise((resolve) => container.once("exit", resolve));
let first = "";

/** Runs a command in the container, as root. */
function there(...args: readonly string[]): string {
  return run("nsenter", [
    "-t",
    first,
    "-m",
    "-u",
    "-i",
    "-n",
    "-p",
    "env",
    ...ENVIRONMENT,
    ...args,
  ]);
}

function isOffered(): boolean {
  return there("meridian", "nodes").includes(" ready ");
}

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

try {
  await until(
    "systemd runs",
    () => {
      try {
        const children = readFileSync(
          `/proc/${container.pid}/task/${container.pid}/children`,
          "utf8",
        );
        first = children.trim().split(" ")[0] ?? "";
        return first !== "" && there("systemctl", "is-system-running").trim() === "running";
      } catch {
        // The container is still starting.
        return false;
      }
    },
    PATIENCE_MS,
  );
  say("the machine runs");
  // The keys are readable for root alone: systemd passes them to the services.
  there("rm", "-rf", SECRETS);
  there("meridian", "init", SECRETS, "--host", "localhost,127.0.0.1");
  const own = [
    "--tls-cert",
    `${SECRETS}/localhost/cert.pem`,
    "--tls-key",
    `${SECRETS}/localhost/key.pem`,
  ];
  const asks = [...own, "--token-keys", `${SECRETS}/token-keys.json`];
  there("meridian", "service", "install", "directory", ...asks);
  const create = `meridian token create --folder ${SECRETS}`;
  there("sh", "-c", `${create} --scope node --node frankfurt > ${SECRETS}/frankfurt.token`);
  there("sh", "-c", `${create} --scope admin > ${SECRETS}/admin.token`);
  const place = ["--lat", "50.11", "--lon", "8.68", "--directory", "https://127.0.0.1:7400"];
  const joins = ["--tls-ca", `${SECRETS}/ca.pem`, "--token-file", `${SECRETS}/frankfurt.token`];
  there("meridian", "service", "install", "region", "frankfurt", ...place, ...asks, ...joins);
  const asked = ["--ca", `${SECRETS}/ca.pem`, "--token-file", `${SECRETS}/admin.token`];
  there("meridian", "context", "add", "own", "--directory", "https://127.0.0.1:7400", ...asked);
  await until("the region is offered", isOffered, PATIENCE_MS);
  there("meridian", "set", "k", "v", "--ack", "directory");
  say("a directory and a region run, with keys that only root can read");
  there("systemctl", "reload", "meridian-region@frankfurt");
  there("systemctl", "restart", "meridian-region@frankfurt");
  await until("the region is offered again", isOffered, PATIENCE_MS);
  if (there("meridian", "get", "k").trim() !== "v") throw new Error("Expected what was set");
  say("the region was reloaded and restarted, and has what it had");
  there("meridian", "service", "uninstall", "region", "frankfurt");
  there("meridian", "service", "uninstall", "directory");
  const left = there("systemctl", "list-units", "--no-legend", "meridian*").trim();
  if (left !== "") throw new Error(`Expected no units, got ${left}`);
  say("both are uninstalled");
} finally {
  // systemd-nspawn passes the signal to the container's first process, which then stops in order.
  container.kill("SIGTERM");
  const cancel = setTimeout(() => container.kill("SIGKILL"), 30_000);
  await ended;
  clearTimeout(cancel);
  rmSync(folder, { recursive: true, force: true });
}
