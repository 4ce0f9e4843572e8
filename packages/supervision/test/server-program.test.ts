import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Program, SUPERVISION } from "./program.ts";
import { reasonToSkip, SystemdReceiver } from "./systemd-receiver.ts";

const reason = reasonToSkip();
const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;
const TIME_LIMIT_MS = 30_000;

/** The text of a server whose start function is `start`. Messages that `start` sends to systemd come before the one that the server listens. */
function serverOf(start: string): string {
  return `
    import { runServer } from ${JSON.stringify(SUPERVISION)};
    await runServer({
      name: "server", summary: "", options: [],
      version: () => "1",
      parse: () => ({ kind: "run", values: { logLevel: "error", logFormat: "text" } }),
      start: async (_, { standBy }) => { ${start} },
    });`;
}

let systemd: SystemdReceiver;
beforeEach(async () => {
  if (reason === undefined) systemd = await SystemdReceiver.start();
});
afterEach(async () => {
  if (reason === undefined) await systemd.stop();
});
const run = (script: string): Program => new Program(script, { NOTIFY_SOCKET: systemd.socketPath });

describe.skipIf(reason !== undefined)(`a server under systemd${skipped}`, () => {
  it(
    "is ready once it listens, and not while it is still starting",
    async () => {
      const program = run(
        serverOf(`
          notifyStopping();
          setImmediate(() => process.kill(process.pid, "SIGTERM"));
          return { url: "http://x", stop: async () => {} };`),
      );
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd.until((said) => said.includes("READY=1"));
      expect(systemd.messages).toEqual(["STOPPING=1", "STATUS=listening on http://x", "READY=1"]);
    },
    TIME_LIMIT_MS,
  );

  it(
    "is never ready if its start fails",
    async () => {
      const program = run(serverOf(`notifyStopping(); throw new Error("no port");`));
      expect(await program.ended()).toBe("ended by exit 1");
      await systemd.until((said) => said.includes("STOPPING=1"));
      expect(systemd.messages).toEqual(["STOPPING=1"]);
    },
    TIME_LIMIT_MS,
  );
});

describe.skipIf(reason !== undefined)(`a server that stands by under systemd${skipped}`, () => {
  it(
    "is ready when it stands by, and stops in order then",
    async () => {
      const program = run(
        serverOf(`
          standBy();
          setImmediate(() => process.kill(process.pid, "SIGTERM"));
          return new Promise((resolve) => setTimeout(resolve, 60_000));`),
      );
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd.until((said) => said.includes("STOPPING=1"));
      const [status, ...others] = systemd.messages;
      expect(status).toMatch(/STATUS=stands by/);
      expect(others).toEqual(["READY=1", "STOPPING=1"]);
    },
    TIME_LIMIT_MS,
  );

  it(
    "parts with whoever it serves meanwhile before it stops, for two seconds at most",
    async () => {
      for (const [leave, code] of [
        ["async () => process.exit(5)", 5],
        ["() => new Promise(() => {})", 0],
      ]) {
        const program = run(
          serverOf(`
            standBy({ url: "http://y", stop: ${leave} });
            setImmediate(() => process.kill(process.pid, "SIGTERM"));
            return new Promise((resolve) => setTimeout(resolve, 60_000));`),
        );
        expect(await program.ended()).toBe(`ended by exit ${code}`);
      }
    },
    TIME_LIMIT_MS,
  );

  it(
    "says that it listens once it has stood by, and lets its own stop answer signals",
    async () => {
      const program = run(
        serverOf(`
          standBy();
          setImmediate(() => process.kill(process.pid, "SIGTERM"));
          setTimeout(() => {}, 60_000);
          return { url: "http://x", stop: async () => process.exit(7) };`),
      );
      expect(await program.ended()).toBe("ended by exit 7");
      await systemd.until((said) => said.includes("STOPPING=1"));
      expect(systemd.messages.slice(1)).toEqual([
        "READY=1",
        "STATUS=listening on http://x",
        "READY=1",
        "STOPPING=1",
      ]);
    },
    TIME_LIMIT_MS,
  );
});

describe.skipIf(reason !== undefined)(
  `a server that gets SIGHUP before it has started${skipped}`,
  () => {
    it(
      "reloads on SIGHUP while it stands by, and once it can what it was to reload before",
      async () => {
        const server = `{ url: "http://y", stop: async () => {}, reload: async () => process.exit(6) }`;
        const hangUp = `const heard = new Promise((resolve) => process.once("SIGHUP", resolve)); process.kill(process.pid, "SIGHUP"); await heard;`;
        for (const start of [
          `standBy(${server}); ${hangUp} return new Promise(() => {});`,
          `${hangUp} standBy(${server}); return new Promise(() => {});`,
          `${hangUp} return ${server};`,
        ]) {
          expect(await run(serverOf(`setTimeout(() => {}, 60_000); ${start}`)).ended()).toBe(
            "ended by exit 6",
          );
        }
      },
      TIME_LIMIT_MS,
    );
  },
);
