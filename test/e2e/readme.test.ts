/** What README.md and HTTP.md tell a newcomer to type is typed here, word for word but for the ports. */
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

import { expect, it, onTestFinished } from "vitest";
import { plainEnvironment } from "@meridian/supervision";
import { ROOT, until, within } from "@meridian/harness";

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const DIRECTORY_PORT = 7400;
const PORTS = 6;

const HTTP = readFileSync(join(ROOT, "packages/protocol/HTTP.md"), "utf8");

/** The `sh` blocks of the README, in order. */
const BLOCKS = [...README.matchAll(/^```sh[^\n]*\n(.*?)^```/gms)].map(([, block = ""]) => block);

/** The `sh` blocks of HTTP.md, each with the block of what it prints. */
const EXAMPLES = [...HTTP.matchAll(/^```sh\n(.*?)^```\n\n```text\n(.*?)^```/gms)].map(
  ([, block = "", answer = ""]) => ({ block, answer }),
);

/** What a program may print that is said to print `answer`, in which `…` stands for anything. */
function patternOf(answer: string): RegExp {
  const parts = answer.trim().split("…");
  return new RegExp(
    `^${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("[^]*")}$`,
  );
}

/** Starts the development cluster as the README says. Resolves to the directory's port once it is ready. */
async function startDev(): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), "meridian-readme-"));
  const args = ["run", "--silent", "dev", "--", "--data", data];
  const dev = spawn("npm", args, { cwd: ROOT, env: plainEnvironment(process.env), detached: true });
  let isGone = false;
  const exited = new Promise<void>((resolve) => {
    dev.once("exit", () => {
      isGone = true;
      resolve();
    });
  });
  const lines: string[] = [];
  createInterface({ input: dev.stdout }).on("line", (line) => lines.push(line));
  const signal = (name: NodeJS.Signals): void => {
    if (dev.pid !== undefined && !isGone) process.kill(-dev.pid, name);
  };
  // None outlives the test process.
  process.once("exit", () => signal("SIGKILL"));
  onTestFinished(async () => {
    signal("SIGINT");
    await within("the cluster stops", exited);
    rmSync(data, { recursive: true, force: true });
  });
  const row = /^directory\s+http:\/\/127\.0\.0\.1:(\d+)/;
  const port = await until("the cluster is ready", () =>
    lines.map((line) => row.exec(line)?.[1]).find((found) => found !== undefined),
  );
  return Number(port);
}

/** The code of the README that starts programs, on ports and in a folder of its own. */
function startingCode(folder: string): string {
  const code = /^```ts start\n(.*?)^```/ms.exec(README)?.[1] ?? "";
  return code.replaceAll('data: "data', `port: 0, data: "${folder}`);
}

async function run(block: string, directoryPort: number): Promise<string> {
  let text = block;
  for (let offset = 0; offset < PORTS; offset += 1) {
    text = text.replaceAll(`:${DIRECTORY_PORT + offset}/`, `:${directoryPort + offset}/`);
  }
  const env = {
    ...plainEnvironment(process.env),
    MERIDIAN_DIRECTORY: `http://127.0.0.1:${directoryPort}`,
  };
  const { stdout } = await promisify(execFile)("sh", ["-eu", "-c", text], { cwd: ROOT, env });
  return stdout;
}

it("the commands of README.md and HTTP.md do what they say", async () => {
  const [tour = "", cli = "", ...rest] = BLOCKS;
  expect(rest).toEqual([]);
  const port = await startDev();
  const [set = "", read = "", after = ""] = tour.split(/^(curl -i .*\n)/m);
  expect(await run(set, port)).toMatch(/"id":"frankfurt".*"distanceMeters":\d+[^]*"level":"local"/);
  // A moment later, which is longer where the machine is busy.
  await until("Sydney has what was set in Frankfurt", async () =>
    /Meridian-Node: sydney[^]*\r\n\r\nbonjour/.test(await run(read, port)),
  );
  const toured = await run(after, port);
  expect(toured).toMatch(/"level":"all","reached":true[^]*"deleted":true[^]*"KEY_NOT_FOUND"/);
  const told = await run(cli, port);
  expect(told).toContain("hello from the CLI");
  for (const id of ["montreal", "frankfurt", "singapore", "sao-paulo", "sydney"]) {
    expect(told).toContain(id);
  }
  const folder = mkdtempSync(join(tmpdir(), "meridian-readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const flags = ["--conditions=@meridian/source", "--import=tsx", "--input-type=module"];
  const argv = [...flags, "--eval", startingCode(folder)];
  const started = await promisify(execFile)(process.execPath, argv, { cwd: ROOT });
  expect(started.stdout).toMatch(/^http:.*:\d+ is a region of http:.*:\d+\n$/);
  expect(EXAMPLES).toHaveLength([...HTTP.matchAll(/^```sh$/gm)].length);
  for (const { block, answer } of EXAMPLES) {
    const printed = (await run(block, port)).replaceAll("\r\n", "\n").trim();
    expect(printed).toMatch(patternOf(answer));
  }
});
