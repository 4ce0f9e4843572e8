/**
 * Tests the units and their installer with the machine's systemd tools: which files the installer writes below an operator's root,
 * what `systemd-analyze` says about the units, and that the installed programs start with the command lines
 * of their units.
 */
import { execFile, spawn, spawnSync, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runCli } from "@meridian/cli";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import manifest from "../package.json" with { type: "json" };

const CLONE = fileURLToPath(new URL("../..", import.meta.url));
const INSTALLER = join(CLONE, "packages/supervision/systemd/install.sh");
const UNITS = {
  "meridian-directory.service": "apps/directory/systemd/meridian-directory.service",
  "meridian-region@.service": "apps/region/systemd/meridian-region@.service",
};
const SLOW_MS = 300_000;

/** Why these tests cannot run here; undefined if they can. */
function reasonToSkip(): string | undefined {
  if (process.platform !== "linux") return `systemd is Linux's, this is ${process.platform}`;
  const missing = ["systemd-analyze", "systemd-notify", "systemd-socket-activate"].find(
    (program) => spawnSync(program, ["--version"]).status !== 0,
  );
  return missing === undefined ? undefined : `${missing} is not installed`;
}

interface Outcome {
  readonly status: number;
  readonly said: string;
}

async function run(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  try {
    const options = { env: { ...process.env, ...env }, cwd: CLONE };
    const { stdout, stderr } = await promisify(execFile)(file, args, options);
    return { status: 0, said: stdout + stderr };
  } catch (cause) {
    const {
      code,
      stdout = "",
      stderr = "",
    } = cause as {
      code?: unknown;
      stdout?: string;
      stderr?: string;
    };
    return { status: typeof code === "number" ? code : -1, said: stdout + stderr };
  }
}

const install = (root: string, ...args: readonly string[]): Promise<Outcome> =>
  run("/bin/sh", [INSTALLER, ...args], { DESTDIR: root });

/** Runs `meridian service`, which is all that the installer does once the programs are in their place. */
const service = (...args: readonly string[]): Promise<Outcome> =>
  run(process.execPath, [join(CLONE, "apps/cli/dist/main.js"), "service", ...args]);

const read = (...path: readonly string[]): string => readFileSync(join(...path), "utf8");

const temporary: string[] = [];

function temporaryFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "meridian-systemd-")));
  temporary.push(folder);
  return folder;
}

/** A cluster file with a region in Paris. */
function clusterFile(): string {
  const file = join(temporaryFolder(), "cluster.json");
  const regions = [{ id: "paris", lat: 48.86, lon: 2.35 }];
  writeFileSync(file, JSON.stringify({ directories: [{ id: "main" }], regions }));
  return file;
}

const reason = reasonToSkip();
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
let root = "";

beforeAll(async () => {
  if (reason !== undefined) return;
  // The documented `npm run build`; turbo caches the build.
  const apps = ["directory", "region", "cli"];
  const filters = apps.map((app) => `--filter=@meridian/${app}`);
  const built = await run("npx", ["turbo", "run", "build", ...filters]);
  if (built.status !== 0) throw new Error(built.said);
  root = temporaryFolder();
  const options = ["--lat", "50.11", "--lon=8.68", "--port", "0"];
  const paris = ["--cluster-file", clusterFile()];
  const installed = [
    await install(root, "region", "frankfurt", ...options),
    await service("install", "directory", "--root", root, "--port", "0"),
    await service("install", "region", "paris", "--root", root, ...paris, "--port=0"),
  ];
  for (const { status, said } of installed) if (status !== 0) throw new Error(said);
}, SLOW_MS);

afterAll(() => {
  for (const folder of temporary) rmSync(folder, { recursive: true, force: true });
});

describe.skipIf(reason !== undefined)(`the installer${skipped}`, () => {
  it("writes each option as a line that only root and its group can read", () => {
    const file = join(root, "etc/meridian/region-frankfurt.env");
    expect(statSync(file).mode & 0o777).toBe(0o640);
    expect(read(file).replace(/^#.*\n/, "")).toBe(
      'MERIDIAN_LAT="50.11"\nMERIDIAN_LON="8.68"\nMERIDIAN_PORT="0"\n',
    );
    expect(readdirSync(join(root, "etc/meridian"))).toEqual([
      "directory.env",
      "region-frankfurt.env",
      "region-paris.env",
    ]);
  });

  it.each(Object.entries(UNITS))("installs the unit %s unchanged", (unit, source) => {
    const file = join(root, "etc/systemd/system", unit);
    expect(read(file)).toBe(read(CLONE, source));
    expect(statSync(file).mode & 0o777).toBe(0o644);
  });

  it.each(["directory", "region"])(
    "installs the %s so that it runs without the clone",
    async (app) => {
      const program = join(root, "opt/meridian/current/apps", app, "dist/main.js");
      const { version } = JSON.parse(read(CLONE, "apps", app, "package.json")) as {
        version: string;
      };
      const node = join(root, "opt/meridian/current/bin/node");
      expect(await run(node, [program, "--version"])).toEqual({ status: 0, said: `${version}\n` });
    },
  );

  it("installs the command `meridian` on the path of all users", async () => {
    const command = join(root, "usr/local/bin/meridian");
    expect(statSync(command).mode & 0o777).toBe(0o755);
    const script = read(command).replaceAll("/opt/meridian", join(root, "opt/meridian"));
    const version = await run("sh", ["-c", script.replace('"$@"', "version")]);
    expect(version).toEqual({ status: 0, said: `${manifest.version}\n` });
  });

  it("installs no sources, development tools or temporary files", () => {
    const installed = join(root, "opt/meridian/current");
    expect(readdirSync(join(root, "opt/meridian"))).toEqual([
      "current",
      `meridian-${manifest.version}`,
    ]);
    expect(existsSync(join(installed, "packages/store/dist/index.js"))).toBe(true);
    expect(existsSync(join(installed, "packages/store/src"))).toBe(false);
    expect(existsSync(join(installed, "packages/testkit"))).toBe(false);
    expect(existsSync(join(installed, "node_modules/vitest"))).toBe(false);
    expect(existsSync(join(installed, "node_modules/typescript"))).toBe(false);
  });
});

describe.skipIf(reason !== undefined)(`the installer, run again${skipped}`, () => {
  it(
    "upgrades the programs and the unit when run again, and keeps the options",
    async () => {
      const again = temporaryFolder();
      const programs = join(again, "opt/meridian");
      cpSync(join(root, "opt/meridian"), programs, { recursive: true, verbatimSymlinks: true });
      const place = ["--root", again, "--lat", "1", "--lon", "2"];
      const options = ["--group", "meridian-tls", "--token-file", `/"x" \\ $HOME \`y\``];
      await service("install", "region", "a", ...place, ...options);
      const env = read(again, "etc/meridian/region-a.env");
      expect(env).toContain('MERIDIAN_TOKEN_FILE="/\\"x\\" \\\\ \\$HOME \\`y\\`"\n');
      const unit = join(again, "etc/systemd/system/meridian-region@.service");
      const program = join(again, "opt/meridian/current/apps/region/dist/main.js");
      for (const file of [unit, program]) writeFileSync(file, "old");
      expect((await install(again, "region", "a", "--lat", "9")).status).toBe(2);
      expect([read(unit), read(program)]).toEqual(["old", "old"]);
      expect((await install(again, "region", "a")).status).toBe(0);
      expect(read(unit)).toBe(read(CLONE, UNITS["meridian-region@.service"]));
      expect(read(program)).toBe(read(CLONE, "apps/region/dist/main.js"));
      expect(read(again, "etc/meridian/region-a.env")).toBe(env);
      const kept = `meridian-${manifest.version}`;
      const versions = ["current", kept, `${kept}.old`];
      expect(readdirSync(programs)).toEqual(versions);
      // The previous version stays, also when another service of the same version is installed.
      expect((await install(again, "directory")).status).toBe(0);
      expect(readdirSync(programs)).toEqual(versions);
      expect(read(programs, `${kept}.old/apps/region/dist/main.js`)).toBe("old");
    },
    SLOW_MS,
  );
});

describe.skipIf(reason !== undefined)(`a service that is given a cluster file${skipped}`, () => {
  it("needs no coordinates if the cluster file has them, and takes the id of a directory", async () => {
    const folder = temporaryFolder();
    const file = clusterFile();
    const own = ["--root", folder, "--cluster-file", file, "--id", "main"];
    expect(await service("install", "directory", ...own)).toMatchObject({ status: 0 });
    expect(read(folder, "etc/meridian/directory.env")).toContain(
      `MERIDIAN_ID="main"\nMERIDIAN_CLUSTER_FILE="${file}"\n`,
    );
    expect(read(root, "etc/meridian/region-paris.env")).toContain("MERIDIAN_CLUSTER_FILE=");
  });
});

describe.skipIf(reason !== undefined)(`certificates and tokens of a service${skipped}`, () => {
  const files = ["--tls-cert", "/s/cert.pem", "--tls-key", "/s/100%.pem"];

  it("are passed by systemd, or read as a member of a group, and the drop-in is removed with the service", async () => {
    const machine = temporaryFolder();
    const place = ["--root", machine, "--lat", "1", "--lon", "2", "--host", "10.0.0.1"];
    const more = ["--token-keys", "/s/keys.json"];
    for (const [id, own] of [
      ["a", []],
      ["b", ["--group", "meridian-tls"]],
    ] as const) {
      const args = ["install", "region", id, ...place, ...files, ...more, ...own];
      expect(await service(...args)).toMatchObject({ status: 0 });
    }
    const units = join(machine, "etc/systemd/system");
    expect(read(units, "meridian-region@a.service.d/credentials.conf")).toBe(
      [
        "[Service]",
        "LoadCredential=tls-cert:/s/cert.pem",
        "Environment=MERIDIAN_TLS_CERT=%d/tls-cert",
        "LoadCredential=tls-key:/s/100%%.pem",
        "Environment=MERIDIAN_TLS_KEY=%d/tls-key",
        "LoadCredential=token-keys:/s/keys.json",
        "Environment=MERIDIAN_TOKEN_KEYS=%d/token-keys\n",
      ].join("\n"),
    );
    expect(read(machine, "etc/meridian/region-a.env")).not.toContain("/s/");
    expect(read(units, "meridian-region@b.service.d/credentials.conf")).toBe(
      "[Service]\nSupplementaryGroups=meridian-tls\n",
    );
    expect(read(machine, "etc/meridian/region-b.env")).toContain('"/s/100%.pem"');

    const log = ["--log", "nats://nats-1", "--log-credentials", "/s/nats.creds"];
    const directory = ["install", "directory", "--root", temporaryFolder(), ...log];
    expect(await service(...directory)).toMatchObject({ status: 0 });
    expect(read(directory[3] ?? "", "etc/meridian/directory.env")).not.toContain("/s/");

    for (const id of ["a", "b"]) {
      expect(await service("uninstall", "region", id, "--root", machine)).toMatchObject({
        status: 0,
      });
      expect(existsSync(join(units, "meridian-region@.service"))).toBe(id === "a");
    }
    expect([readdirSync(units), readdirSync(join(machine, "etc/meridian"))]).toEqual([[], []]);
    const again = await service("uninstall", "region", "a", "--root", machine);
    expect([again.status, again.said]).toEqual([2, expect.stringContaining("to be installed")]);
  });
});

describe.skipIf(reason !== undefined)(`an installer that is told something wrong${skipped}`, () => {
  it.each([
    ["nothing", [], "Expected `directory"],
    ["another program", ["cli"], "unknown command 'cli'"],
    ["no longitude", ["region", "a", "--lat", "2"], "--lon"],
    ["a value of two lines", ["directory", "--host", "a\nMERIDIAN_X=b"], "Expected one line"],
  ])("refuses %s, and writes nothing", async (_what, args, message) => {
    const empty = temporaryFolder();
    const { status, said } = await install(empty, ...args);
    expect(said).toContain(message);
    expect(status).toBe(2);
    expect(readdirSync(empty)).toEqual([]);
  });
});

// What the installer asks before it writes anything, without a process for each case.
describe("`meridian service install` that is told something wrong", () => {
  it.each([
    ["a region without an id", ["region"], "missing required argument 'id'"],
    ["an id in capitals", ["region", "Oslo"], "got `Oslo`"],
    ["an id that is a path", ["region", "../x"], "got `../x`"],
    ["an id of 64 letters", ["region", "a".repeat(64)], "Expected an id"],
    ["an empty id", ["region", ""], "Expected an id"],
    ["an id of two lines", ["region", "a\nb"], "got `a\nb`"],
    ["no latitude", ["region", "a", "--lon", "2"], "--lat"],
    ["a place that there is not", ["region", "a", "--lat", "91", "--lon", "2"], "-90"],
    [
      "an option of the other program",
      ["directory", "--cache-bytes", "2"],
      "unknown option '--cache-bytes'",
    ],
    ["an option without a value", ["directory", "--port"], "'--port <integer>' argument missing"],
    ["a port that there is not", ["directory", "--port", "65536"], "65536"],
    ["an id as an option", ["region", "a", "--id", "b"], "unknown option '--id'"],
    ["a folder of data", ["directory", "--data=/x"], "unknown option '--data"],
    ["a key that lies nowhere", ["directory", "--tls-key", "key.pem"], "an absolute path"],
    ["a group that is none", ["directory", "--group", "a b"], "Expected a group"],
    ["a stray word", ["directory", "now"], "too many arguments"],
  ])("refuses %s, and writes nothing", async (_what, args, message) => {
    const empty = temporaryFolder();
    let said = "";
    const write = (data: string | Uint8Array): unknown => (said += String(data));
    const io = { stdout: { write }, stderr: { write }, stdin: undefined, env: {}, colour: false };
    const [program = "", ...more] = args;
    const argv = ["service", "install", program, "--root", empty, ...more];
    const status = await runCli(argv, io);
    expect(said).toContain(message);
    expect(status).not.toBe(0);
    expect(readdirSync(empty)).toEqual([]);
  });
});

describe.skipIf(reason !== undefined)(`systemd-analyze${skipped}`, () => {
  it("accepts both installed units without a warning", async () => {
    const machine = temporaryFolder();
    cpSync(join(root, "etc/systemd"), join(machine, "etc/systemd"), { recursive: true });
    cpSync(join(root, "etc/meridian"), join(machine, "etc/meridian"), { recursive: true });
    // The units refer to targets of the machine, and to programs that must exist.
    cpSync("/usr/lib/systemd/system", join(machine, "usr/lib/systemd/system"), {
      recursive: true,
      verbatimSymlinks: true,
    });
    mkdirSync(join(machine, "opt/meridian/current/bin"), { recursive: true });
    writeFileSync(join(machine, "opt/meridian/current/bin/node"), "");
    chmodSync(join(machine, "opt/meridian/current/bin/node"), 0o755);
    const units = ["meridian-directory.service", "meridian-region@frankfurt.service"];
    const argv = ["verify", "--man=no", `--root=${machine}`, ...units];
    expect(await run("systemd-analyze", argv)).toEqual({ status: 0, said: "" });
    const file = join(machine, "etc/systemd/system/meridian-directory.service");
    writeFileSync(file, read(file).replace("WatchdogSec=30s", "WatchdogSec=soon"));
    const planted = await run("systemd-analyze", argv);
    expect(planted.said).toContain("Failed to parse sec value");
  });

  it.each(Object.values(UNITS))("finds %s exposed by 1.5 of 10 at most", async (source) => {
    const analyzed = await run("systemd-analyze", [
      "security",
      "--offline=true",
      "--no-pager",
      join(CLONE, source),
    ]);
    const [, exposure] = /Overall exposure level for .*: ([\d.]+)/.exec(analyzed.said) ?? [];
    expect(Number(exposure)).toBeLessThanOrEqual(1.5);
  });
});

/** A notification socket as systemd has it, and a program that is started with the command line of its unit. */
class Supervised {
  readonly #receiver: ChildProcess;
  #program: ChildProcess | undefined;
  #heard = "";
  #waiting: (() => void) | undefined;
  readonly #socket: string;

  constructor(folder: string) {
    this.#socket = join(folder, "notify");
    // `systemd-socket-activate` opens the socket and, at the first datagram, runs `cat`, which prints all datagrams.
    const command = ["--datagram", `--listen=${this.#socket}`, "/bin/sh", "-c", "exec cat <&3"];
    this.#receiver = spawn("systemd-socket-activate", command, {
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#receiver.stdout, this.#receiver.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        this.#heard += chunk.toString();
        this.#waiting?.();
      });
    }
  }

  async hears(text: string): Promise<void> {
    while (!this.#heard.includes(text)) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  start(commandLine: string, env: Readonly<Record<string, string>>): ChildProcess {
    const [program = "", ...args] = commandLine.split(" ");
    this.#program = spawn(program, args, {
      env: { PATH: process.env["PATH"] ?? "", NOTIFY_SOCKET: this.#socket, ...env },
      stdio: "inherit",
    });
    return this.#program;
  }

  stop(): void {
    for (const process of [this.#receiver, this.#program]) process?.kill("SIGKILL");
  }
}

/** The command line of an installed unit, with its specifiers replaced, and with files under `root`. */
function commandLineOf(unit: string, instance: string, state: string): string {
  const [, line = ""] = /^ExecStart=(.*)$/m.exec(read(root, "etc/systemd/system", unit)) ?? [];
  return line
    .replaceAll("/opt/meridian", join(root, "opt/meridian"))
    .replaceAll("%i", instance)
    .replaceAll("%S", state);
}

/** The variables of an environment file, as systemd reads it. */
function environmentOf(file: string): Record<string, string> {
  const lines = read(root, "etc/meridian", file).matchAll(/^(\w+)="(.*)"$/gm);
  return Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value]));
}

describe.skipIf(reason !== undefined)(`a program started as its unit says${skipped}`, () => {
  let supervised: Supervised;

  afterEach(() => {
    supervised.stop();
  });

  it.each([
    ["directory.env", "meridian-directory.service", ""],
    ["region-frankfurt.env", "meridian-region@.service", "frankfurt"],
    ["region-paris.env", "meridian-region@.service", "paris"],
  ])(
    "tells systemd that it is ready, that it lives and that it stops (%s)",
    async (envFile, unit, instance) => {
      const folder = temporaryFolder();
      supervised = new Supervised(folder);
      await supervised.hears("Listening on");
      const program = supervised.start(commandLineOf(unit, instance, folder), {
        ...environmentOf(envFile),
        MERIDIAN_LOG_LEVEL: "error",
        WATCHDOG_USEC: "300000",
      });
      const ended = new Promise((resolve) => {
        program.once("exit", (code, signal) => resolve(signal ?? code));
      });
      await supervised.hears("READY=1");
      await supervised.hears("WATCHDOG=1");
      program.kill("SIGTERM");
      await supervised.hears("STOPPING=1");
      expect(await ended).toBe(0);
    },
    30_000,
  );
});
