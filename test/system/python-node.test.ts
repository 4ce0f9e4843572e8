/** A node in Python, written from PROTOCOL.md alone, in a cluster with a directory and a region of this repository. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { startDirectory, type RunningDirectory } from "@meridian/directory";
import { silentLogger } from "@meridian/runtime";
import { expect, it, onTestFinished } from "vitest";
import {
  LinkProxy,
  deleteValue,
  getJson,
  getText,
  putValue,
  ROOT,
  startSmallRegion,
  until,
} from "@meridian/harness";

const HAS_PYTHON = spawnSync("python3", ["--version"]).status === 0;

function directoryOn(data: string): Promise<RunningDirectory> {
  return startDirectory({
    host: "127.0.0.1",
    port: 0,
    cluster: "meridian",
    durability: "process",
    logger: silentLogger,
    data,
    lagMax: 10_000,
    horizon: 3_600_000,
  });
}

interface ListedNode {
  readonly id: string;
  readonly status: string;
}

interface PythonNode {
  /** The lines that the node has printed. */
  readonly lines: readonly string[];
  say(command: string): void;
  /** Resolves to the first line that matches, after the first `since` lines, once the node has printed it. */
  printed(pattern: RegExp, since?: number): Promise<string>;
}

function startPython(port: number, id: string): PythonNode {
  const file = join(ROOT, "apps/examples/python-node/node.py");
  const child = spawn("python3", [file, "127.0.0.1", String(port), id]);
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  createInterface({ input: child.stderr }).on("line", (line) => lines.push(`error: ${line}`));
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  return {
    lines,
    say: (command) => child.stdin.write(`${command}\n`),
    printed: (pattern, since = 0) =>
      until(`python prints ${pattern}; it has printed ${lines.join(", ")}`, () =>
        lines.slice(since).find((line) => pattern.test(line)),
      ),
  };
}

it.skipIf(!HAS_PYTHON)(
  "a node written from PROTOCOL.md receives, sends, deletes, and survives a restart of the directory",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "meridian-python-"));
    const data = join(folder, "directory");
    let directory = await directoryOn(data);
    // The node dials this line, whose port stays the same when the directory restarts on another port.
    const line = await LinkProxy.listen();
    line.target = directory.url;
    const region = await startSmallRegion({
      id: "paris",
      cluster: "meridian",
      data: join(folder, "region"),
      directory: [line.url],
    });
    onTestFinished(async () => {
      await region.stop();
      await directory.stop();
      await line.close();
      rmSync(folder, { recursive: true, force: true });
    });
    await until("the region is ready", () => region.status === "ready" || undefined);
    await putValue(region.url, "before", "joined");

    const python = startPython(Number(new URL(line.url).port), "snake");
    await python.printed(/^ready$/);
    await python.printed(/^stored before$/);
    await putValue(region.url, "from/region", "grüße", { ack: "all" });
    python.say("get from/region");
    await python.printed(/^value from\/region grüße$/);

    python.say("set from/python sss");
    await python.printed(/^acknowledged 1$/);
    const inRegion = (key: string, value: string | undefined): Promise<true> =>
      until(`${key} in the region`, async () =>
        (await getText(region.url, key)) === value ? true : undefined,
      );
    await inRegion("from/python", "sss");

    await directory.stop();
    await python.printed(/^down/);
    python.say("set while/away yes");
    directory = await directoryOn(data);
    line.target = directory.url;
    await python.printed(/^acknowledged 2$/);
    await inRegion("while/away", "yes");

    await deleteValue(region.url, "from/python");
    await python.printed(/^stored from\/python$/, python.lines.indexOf("acknowledged 2"));
    python.say("get from/python");
    await python.printed(/^none from\/python$/);
    python.say("delete from/region");
    await inRegion("from/region", undefined);
    await until("the directory takes it for ready", async () => {
      const { nodes } = await getJson<{ readonly nodes: readonly ListedNode[] }>(
        `${directory.url}/nodes`,
      );
      return nodes.some(({ id, status }) => id === "snake" && status === "ready") || undefined;
    });
    expect(python.lines.filter((line) => line.startsWith("error"))).toEqual([]);
  },
);
