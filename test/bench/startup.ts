/**
 * What it costs to start the built programs: `npm run bench:startup -- [--before <built checkout>] [--rounds 20]`. By turns, each on empty data,
 * as systemd runs them: wall time until they say that they listen, and the processor time of the process until it has been ended, in medians. Node.js
 * alone, which runs an empty program, is there to compare with.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { plainEnvironment } from "@meridian/supervision";
import { ROOT } from "@meridian/harness";

import { cpuMs } from "./peers/accounts.ts";
import { median } from "./peers/statistics.ts";

/** A program that is started, again and again. */
interface Subject {
  readonly name: string;
  readonly args: readonly string[];
}

/** Processes that listen on nothing say this. */
const SAYS = "listening";
const NODE: Subject = {
  name: "Node.js alone",
  args: ["-e", `console.log("${SAYS}"); process.on("disconnect", process.exit)`],
};

const { values } = parseArgs({
  options: { before: { type: "string" }, rounds: { type: "string", default: "20" } },
});

function programsOf(checkout: string, label: string): readonly Subject[] {
  const place = ["--id=oslo", "--lat=59.91", "--lon=10.75", "--directory=http://127.0.0.1:9"];
  return [
    { app: "region", given: place },
    { app: "directory", given: [] },
  ].map(({ app, given }) => ({
    name: `${app}${label}`,
    args: [join(checkout, "apps", app, "dist/main.js"), "--port=0", ...given],
  }));
}

/** Starts a program, and returns the milliseconds until it listened: of the wall clock, and of processors. */
async function start({ name, args }: Subject): Promise<readonly [wallMs: number, usedMs: number]> {
  const data = mkdtempSync(join(tmpdir(), "meridian-startup-"));
  const startedAtMs = performance.now();
  const ownData = name === NODE.name ? [] : [`--data=${data}`];
  const child = spawn(process.execPath, [...args, ...ownData], {
    env: plainEnvironment(process.env),
    // They end with this process, by the channel.
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const { stdout } = child;
  assert.ok(stdout, "a pipe was asked for");
  try {
    for await (const line of createInterface({ input: stdout })) {
      if (!line.includes(SAYS)) continue;
      return [performance.now() - startedAtMs, cpuMs([child.pid ?? NaN])];
    }
    throw new Error(`Expected ${name} to listen, it ended`);
  } finally {
    const ended = new Promise((resolve) => child.once("close", resolve));
    child.kill("SIGKILL");
    await ended;
    rmSync(data, { recursive: true, force: true });
  }
}

const subjects = [
  NODE,
  ...(values.before === undefined ? [] : programsOf(values.before, " before")),
  ...programsOf(ROOT, ""),
];
const times = new Map<Subject, (readonly [number, number])[]>(subjects.map((each) => [each, []]));
// One round more than is counted: files are read from the disk in the first.
for (let round = 0; round <= Number(values.rounds); round += 1) {
  for (const subject of subjects) {
    const time = await start(subject);
    if (round > 0) times.get(subject)?.push(time);
  }
}
for (const [{ name }, each] of times) {
  const [wall, used] = [0, 1].map((index) => median(each.map((time) => time[index] ?? NaN)));
  console.log(
    `${name.padEnd(17)} ${wall?.toFixed(0).padStart(5)} ms, ${used?.toFixed(0).padStart(4)} ms of a processor`,
  );
}
