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
      name: "server", summary: "", options: {},
      version: () => "1",
      parse: () => ({ kind: "run", values: { logLevel: "error", logFormat: "text" } }),
      start: async () => { ${start} },
    });`;
}

describe.skipIf(reason !== undefined)(`a server under systemd${skipped}`, () => {
  let systemd: SystemdReceiver;
  beforeEach(async () => {
    systemd = await SystemdReceiver.start();
  });
  afterEach(async () => {
    await systemd.stop();
  });
  const run = (script: string): Program =>
    new Program(script, { NOTIFY_SOCKET: systemd.socketPath });

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
