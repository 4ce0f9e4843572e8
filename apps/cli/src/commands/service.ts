/** `meridian service`: installs and uninstalls the directory or a region of this machine as a systemd service. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

import { parseFlags } from "@meridian/cluster-file";
import { camelCase, OptionsError, PROGRAM_OPTIONS } from "@meridian/options";
import { checkIdentifier, MeridianError } from "@meridian/protocol";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import {
  CREDENTIALS,
  dropInFile,
  givableOptions,
  optionsFile,
  pathsOf,
  type GivenOptions,
  type Service,
  type ServiceFile,
  type ServicePaths,
} from "../service/unit-files.ts";

/** The options of `service install`, and the options of the program under their names in camelCase. */
export interface InstallFlags {
  readonly root?: string;
  readonly group?: string;
  readonly dryRun?: boolean;
  /** False for `--no-start`. */
  readonly start?: boolean;
  readonly [option: string]: unknown;
}

/** The options of `service uninstall`. */
export interface UninstallFlags {
  readonly root?: string;
}

/** As systemd takes names of groups. */
const GROUP = /^[a-zA-Z_][a-zA-Z0-9_-]{0,30}$/;

/** The folder of the programs: `apps` of a tree. */
const APPS = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** `meridian service install`: writes, verifies, enables. Run again without options, it brings the unit up to date. */
export function install(service: Service, flags: InstallFlags, io: CliIo): number {
  const { root = "", group } = flags;
  if (service.id !== undefined) checkIdentifier("an id", service.id);
  if (group !== undefined && !GROUP.test(group)) {
    throw new MeridianError("INVALID_ARGUMENT", `Expected a group, got \`${group}\``);
  }
  const paths = pathsOf(service, root);
  const given = givenOptions(service, flags);
  checkOptions(service, given, paths);
  const unit = unitText(service, paths);
  if (flags.dryRun === true) return EXIT.ok;
  linkCurrent(root);
  // A package of the distribution brings the unit itself, and brings it up to date.
  const packaged = join(root, "/usr/lib/systemd/system", paths.unit);
  if (!existsSync(packaged)) write({ path: paths.unitPath, text: unit, mode: 0o644 });
  if (!existsSync(paths.optionsPath)) {
    const dropIn = dropInFile(paths, given, group);
    if (dropIn !== undefined) write(dropIn);
    write(optionsFile(paths, given, group));
  }
  io.stdout.write(`Installed ${paths.name}, with its options in ${paths.optionsPath}.\n`);
  if (!isOwnMachine(root)) return EXIT.ok;
  verify(paths);
  systemctl("daemon-reload");
  if (flags.start !== false) {
    systemctl("enable", paths.name);
    systemctl("restart", paths.name);
    io.stdout.write(`It runs, and starts at every boot: systemctl status ${paths.name}\n`);
  }
  return EXIT.ok;
}

/** `meridian service uninstall`: the data stays. */
export function uninstall(service: Service, { root = "" }: UninstallFlags, io: CliIo): number {
  if (service.id !== undefined) checkIdentifier("an id", service.id);
  const paths = pathsOf(service, root);
  if (!existsSync(paths.optionsPath)) {
    const said = `Expected ${paths.name} to be installed, found no ${paths.optionsPath}`;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  if (isOwnMachine(root)) systemctl("disable", "--now", paths.name);
  rmSync(paths.dropInFolder, { recursive: true, force: true });
  rmSync(paths.optionsPath);
  // Other regions are instances of the same unit.
  const isShared = readdirSync(dirname(paths.optionsPath)).some((name) =>
    /^region-.*\.env$/.test(name),
  );
  if (service.role === "directory" || !isShared) rmSync(paths.unitPath, { force: true });
  if (isOwnMachine(root)) systemctl("daemon-reload");
  const data = service.id === undefined ? "directory" : `region-${service.id}`;
  io.stdout.write(
    `${paths.name} is gone. Its data is still in /var/lib/private/meridian/${data}: delete it if nobody needs it.\n`,
  );
  return EXIT.ok;
}

function givenOptions({ role }: Service, flags: InstallFlags): GivenOptions {
  const given = new Map<string, string>();
  for (const { name } of givableOptions(PROGRAM_OPTIONS[role], role)) {
    const value = flags[camelCase(name)];
    if (typeof value !== "string" && value !== true) continue;
    const text = String(value);
    if (/\p{Cc}/u.test(text)) {
      throw new MeridianError("INVALID_ARGUMENT", `Expected one line after \`--${name}\``);
    }
    if (CREDENTIALS.has(name) && !isAbsolute(text)) {
      const said = `Expected an absolute path after \`--${name}\`: a service starts in no folder, got \`${text}\``;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    given.set(name, text);
  }
  return given;
}

/** Throws `INVALID_ARGUMENT` for what the program would not start with. */
function checkOptions({ role, id }: Service, given: GivenOptions, paths: ServicePaths): void {
  if (existsSync(paths.optionsPath)) {
    if (given.size === 0) return;
    const said = `Expected no options, because ${paths.optionsPath} exists. Edit that, then: systemctl restart ${paths.name}`;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const argv = [...given].map(([name, value]) => `--${name}=${value}`);
  const own = id === undefined ? [] : [`--id=${id}`];
  try {
    parseFlags(role, { argv: [...own, "--data=/var/lib/meridian", ...argv], env: {} });
  } catch (cause) {
    if (!(cause instanceof OptionsError)) throw cause;
    throw new MeridianError("INVALID_ARGUMENT", cause.problems.join("; "), { cause });
  }
}

function unitText({ role }: Service, { unit }: ServicePaths): string {
  const path = join(APPS, role, "systemd", unit);
  if (existsSync(path)) return readFileSync(path, "utf8");
  const said = `Expected the unit at ${path}, found none. Install from a package, or by install.sh of a clone`;
  throw new MeridianError("INVALID_CONFIG", said);
}

/** Has `/opt/meridian/current` lead to these programs, if they lie there and it leads nowhere yet. */
function linkCurrent(root: string): void {
  const home = join(root, "/opt/meridian");
  const tree = dirname(APPS);
  if (dirname(tree) !== home || existsSync(join(home, "current"))) return;
  symlinkSync(basename(tree), join(home, "current"));
}

/** Whether it is this very machine that the service is installed on, and systemd runs it. */
function isOwnMachine(root: string): boolean {
  return root === "" && existsSync("/run/systemd/system");
}

function verify({ name }: ServicePaths): void {
  const { status, stderr, stdout } = spawnSync("systemd-analyze", ["verify", "--man=no", name], {
    encoding: "utf8",
  });
  if (status === 0) return;
  const said = (stderr + stdout).trim();
  throw new MeridianError("INVALID_CONFIG", `Expected systemd to take ${name}, got: ${said}`);
}

function systemctl(...args: readonly string[]): void {
  try {
    execFileSync("systemctl", args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (cause) {
    const { stderr = "" } = cause as { stderr?: string };
    const said = `\`systemctl ${args.join(" ")}\` failed: ${stderr.trim()}`;
    throw new MeridianError("INVALID_CONFIG", said, { cause });
  }
}

/** All of it, or what was there before. Throws `INVALID_CONFIG`. */
function write({ path, text, mode }: ServiceFile): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(`${path}.new`, { force: true });
    writeFileSync(`${path}.new`, text, { mode });
    renameSync(`${path}.new`, path);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    const said = `Expected to write ${path}: ${why}. Is this root?`;
    throw new MeridianError("INVALID_CONFIG", said, { cause });
  }
}
