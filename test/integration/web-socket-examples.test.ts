/** Runs the examples of the WebSocket API: the transcripts of WEBSOCKET.md, and the client in Python. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";

import { ROOT, startBothPrograms } from "@meridian/harness";
import { SOCKET_PROTOCOL, SOCKET_REQUESTS } from "@meridian/protocol/socket-api";
import { afterAll, expect, it, onTestFinished } from "vitest";
import { WebSocket } from "ws";

const programs = await startBothPrograms();
const { region } = programs;
afterAll(() => programs.stop());

const DOCUMENT = readFileSync(join(ROOT, "packages/protocol/WEBSOCKET.md"), "utf8");
const TRANSCRIPTS = [...DOCUMENT.matchAll(/^```text transcript\n(.*?)^```/gms)].map(
  ([, block = ""]) => block.trim().split("\n"),
);

/** A pattern for what the region sends where the transcript says `line`, in which `…` stands for anything. */
function patternOf(line: string): RegExp {
  const parts = line.split("…");
  const escaped = parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${escaped.join(".*")}$`);
}

it.each(TRANSCRIPTS.map((lines, index) => [index + 1, lines] as const))(
  "transcript %i is what a region answers",
  async (_, lines) => {
    const socket = new WebSocket(`${region.replace("http", "ws")}/ws`, [SOCKET_PROTOCOL]);
    onTestFinished(() => socket.terminate());
    const heard: string[] = [];
    socket.on("message", (data: Buffer) => heard.push(data.toString()));
    await once(socket, "open");
    const wrong: { readonly said: string; readonly told: string }[] = [];
    for (const line of lines) {
      const said = line.slice(2);
      if (line.startsWith("> ")) {
        socket.send(said);
        continue;
      }
      while (heard.length === 0) await once(socket, "message");
      const told = heard.shift() ?? "";
      if (!patternOf(said).test(told)) wrong.push({ said, told });
    }
    expect([wrong, heard]).toEqual([[], []]);
  },
);

it("every type of request is in a transcript or in the table of the document", () => {
  expect(TRANSCRIPTS.length).toBeGreaterThan(2);
  for (const type of Object.keys(SOCKET_REQUESTS)) expect(DOCUMENT).toContain(`| \`${type}\``);
});

const HAS_PYTHON = spawnSync("python3", ["--version"]).status === 0;

it.skipIf(!HAS_PYTHON)("a client of forty lines of Python reads, writes and watches", async () => {
  const file = join(ROOT, "apps/examples/python-client/client.py");
  expect(readFileSync(file, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(42);
  const { hostname, port } = new URL(region);
  const child = spawn("python3", [file, hostname, port, "--follow"]);
  onTestFinished(() => void child.kill());
  const requests = [
    { type: "set", key: "py:a", value: { n: 1 }, encoding: "json" },
    { type: "get", key: "py:a", encoding: "json" },
    { type: "set", key: "py:long", value: "é".repeat(40_000) },
    { type: "get", key: "py:long" },
    { type: "get", key: "py:none" },
    { type: "watch", prefix: "py:", values: true },
  ];
  child.stdin.end(requests.map((request) => `${JSON.stringify(request)}\n`).join(""));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => JSON.parse(String((await lines.next()).value));
  expect(await next()).toMatchObject({ id: 1, result: { key: "py:a" } });
  expect(await next()).toMatchObject({ id: 2, result: { value: { n: 1 } } });
  expect(await next()).toMatchObject({ id: 3, type: "result" });
  expect(await next()).toMatchObject({ id: 4, result: { value: "é".repeat(40_000) } });
  expect(await next()).toMatchObject({ id: 5, error: { code: "KEY_NOT_FOUND" } });
  expect(await next()).toMatchObject({ id: 6, result: {} });
  await fetch(`${region}/cache/py:b`, { method: "PUT", body: "hello" });
  expect(await next()).toMatchObject({ id: 6, changes: [{ event: "set", key: "py:b" }] });
});
