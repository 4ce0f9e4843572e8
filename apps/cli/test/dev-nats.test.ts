/** `meridian dev --log nats` with the real programs, and what it does without them. */
import { existsSync } from "node:fs";
import { join } from "node:path";

import { natsServerVersion, until } from "@meridian/local-cluster";
import { describe, expect, it, test } from "vitest";

import { run } from "./command.ts";
import { childrenOf, freePort, lives, start, temporary, untilGone, type Run } from "./dev-run.ts";

const VERSION = natsServerVersion(process.env);

/** The programs that a run has started. Each server has a process beside it that waits for the end of the run. */
function processesOf({ parent }: Run): { readonly servers: number[]; readonly programs: number[] } {
  const shells = childrenOf(parent.pid, "nats-server");
  const servers = shells.flatMap((shell) => childrenOf(shell, "nats-server"));
  return { servers, programs: childrenOf(parent.pid, "--data=") };
}

async function startNats(port: number, data: string): Promise<Run> {
  const options = { log: "nats", regions: "1", port: String(port), data };
  return start(options, { TEST_PROGRAM: "" });
}

describe.skipIf(VERSION === undefined)("`dev --log nats` (needs nats-server)", () => {
  it("runs three servers and two directories, the first of which writes, and keeps what was written", async () => {
    const [port, data] = [await freePort(10), temporary()];
    const run = await startNats(port, data);
    await run.says(/Ready in .* 2 directories and 1 region\./);
    await run.says(/directory-2 \| .*serves nodes beside the directory that writes/);
    expect(run.stdout()).toContain(
      `The first directory writes the log at nats://127.0.0.1:${port + 3},127.0.0.1:${port + 4},127.0.0.1:${port + 5}`,
    );
    const key = `http://127.0.0.1:${port + 2}/cache/k`;
    const put = await fetch(`${key}?ack=directory`, { method: "PUT", body: "v" });
    expect(await put.json()).toMatchObject({ acknowledged: { reached: true } });
    const { servers, programs } = processesOf(run);
    expect([servers.length, programs.length]).toEqual([6, 3]);
    run.parent.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect([...servers, ...programs].filter(lives)).toEqual([]);

    const again = await startNats(port, data);
    await again.says(/Ready/);
    expect(await (await fetch(key)).text()).toBe("v");
    again.parent.kill("SIGINT");
    expect(await again.ended).toBe(0);
    expect(again.text()).not.toMatch(/set aside|started again/);
  }, 120_000);

  it("leaves no server behind when it is killed", async () => {
    const run = await startNats(await freePort(10), temporary());
    const servers = await until("all servers run", () => {
      const { servers: found } = processesOf(run);
      return found.length === 6 && found;
    });
    run.parent.kill("SIGKILL");
    await untilGone(servers);
    expect(servers.filter(lives)).toEqual([]);
  }, 120_000);
});

test("without nats-server, `dev --log nats` says how to install it, and starts nothing", async () => {
  const data = join(temporary(), "data");
  const env = { PATH: temporary() };
  const { exitCode, stderr } = await run(["dev", "--log", "nats", "--data", data], { env });
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/INVALID_CONFIG: Expected the program `nats-server` 2\.9 or later/);
  expect(stderr).toMatch(/got none; install it with `apt install nats-server`/);
  expect(existsSync(data)).toBe(false);
});

test("a log that `dev` does not know is refused", async () => {
  const { exitCode, stderr } = await run(["dev", "--log", "kafka", "--data", temporary()]);
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/'kafka' is invalid\. Allowed choices are sqlite, nats/);
});
