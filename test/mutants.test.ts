/** Checks that each bug of `npm run hunt:mutants` can still be planted after a change of the code, and what its suites count for. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { ROOT } from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

import { MUTANTS } from "./mutants/mutants.ts";
import { runSuite } from "./mutants/suite-run.ts";

it.each(MUTANTS.map(({ bug, file, find }) => [bug, file, find] as const))(
  "a bug can still be planted: %s",
  (_, file, find) => {
    const text = readFileSync(join(ROOT, file), "utf8");
    expect(text.split(find)).toHaveLength(2);
  },
);

/** The names that code reads: its words without texts, comments, numbers, and members of objects. */
function namesIn(code: string): ReadonlySet<string> {
  const plain = code.replaceAll(/"[^"\n]*"|'[^'\n]*'|\/\/.*/g, "");
  return new Set(plain.match(/(?<![\w.#])[A-Za-z_]\w*\b(?!\s*:)/g));
}

/** The names that code gives to values of its own. */
function declaredIn(code: string): ReadonlySet<string> {
  return new Set(
    [...code.matchAll(/\b(?:const|let) (\w+)|\((\w+)\) =>/g)].flatMap(([, a, b]) => a ?? b ?? []),
  );
}

// A bug that names what is not there would be noticed by any suite that loads the file.
it.each(MUTANTS.map(({ bug, file, put }) => [bug, file, put] as const))(
  "a bug names only what its file has: %s",
  (_, file, put) => {
    const known = namesIn(readFileSync(join(ROOT, file), "utf8"));
    const own = declaredIn(put);
    const isThere = (name: string): boolean =>
      known.has(name) || own.has(name) || name in globalThis;
    expect([...namesIn(put)].filter((name) => !isThere(name))).toEqual([]);
  },
);

/** A program that ends once it is sent something over a connection. */
const waiting = (port: number): string =>
  `require("node:net").connect(${port}, "127.0.0.1").on("data", () => process.exit(0));`;

/** A program that never ends, and has a connection. */
const lingering = (port: number): string => `require("node:net").connect(${port}, "127.0.0.1");`;

/** A program that starts another one. */
const starting = (program: string): string =>
  `require("node:child_process").spawn(process.execPath, ["-e", ${JSON.stringify(program)}]);`;

/** Listens for the connections of two programs. */
async function twoArrivals(): Promise<{ port: number; sockets: Promise<readonly Socket[]> }> {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const sockets = new Promise<readonly Socket[]>((resolve) => {
    const arrived: Socket[] = [];
    server.on("connection", (socket) => {
      socket.on("error", () => {}).resume();
      if (arrived.push(socket) === 2) resolve(arrived);
    });
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

it("a suite that takes too long has not decided, and all processes that it has started end with it", async () => {
  const { port, sockets } = await twoArrivals();
  const tooLong = new AbortController();
  const args = ["-e", starting(lingering(port)) + waiting(port)];
  const verdict = runSuite({ args, cwd: ROOT, signal: tooLong.signal });
  const closed = (await sockets).map((socket) => once(socket, "close"));
  tooLong.abort();
  expect(await verdict).toBe("has not decided");
  await Promise.all(closed);
});

it("what a suite leaves running ends with it", async () => {
  const { port, sockets } = await twoArrivals();
  const args = ["-e", starting(lingering(port)) + waiting(port)];
  const verdict = runSuite({ args, cwd: ROOT, signal: new AbortController().signal });
  const closed = (await sockets).map((socket) => once(socket, "close"));
  for (const socket of await sockets) socket.write("end");
  expect(await verdict).toBe("passes");
  await Promise.all(closed);
});

it.each([
  ["passes", "process.exit(0)"],
  ["fails", "process.exit(1)"],
  ["has not decided", 'process.kill(process.pid, "SIGKILL")'],
])("a suite %s if it ends by `%s`", async (verdict, program) => {
  const { signal } = new AbortController();
  expect(await runSuite({ args: ["-e", program], cwd: ROOT, signal })).toBe(verdict);
});
