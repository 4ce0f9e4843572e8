import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { Program } from "./program.ts";
import { reasonToSkip, SystemdReceiver } from "./systemd-receiver.ts";

const reason = reasonToSkip();
const TIME_LIMIT_MS = 30_000;

const skipped = reason === undefined ? "" : ` (skipped: ${reason})`;

/** Gives each test of a group a receiver of notifications, and a function that runs a program with it. */
function supervised(): {
  systemd: () => SystemdReceiver;
  run: (script: string, env?: Readonly<Record<string, string>>) => Program;
} {
  let systemd: SystemdReceiver;
  beforeEach(async () => {
    systemd = await SystemdReceiver.start();
  });
  afterEach(async () => {
    await systemd.stop();
  });
  return {
    systemd: () => systemd,
    run: (script, env = {}) => new Program(script, { NOTIFY_SOCKET: systemd.socketPath, ...env }),
  };
}

describe.skipIf(reason !== undefined)(`a program under systemd${skipped}`, () => {
  const { systemd, run } = supervised();

  it(
    "sends its status, that it is ready and that it stops, in that order, and then ends",
    async () => {
      const program = run(`notifyReady("listening on\\nhttp://127.0.0.1:7400"); notifyStopping();`);
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd().until((messages) => messages.includes("STOPPING=1"));
      expect(systemd().messages).toEqual([
        "STATUS=listening on http://127.0.0.1:7400",
        "READY=1",
        "STOPPING=1",
      ]);
      expect(program.output).toBe("");
    },
    TIME_LIMIT_MS,
  );

  it(
    "is heard even if it exits at once after its last message",
    async () => {
      const program = run(`notifyReady(); notifyStopping(); process.exit(0);`);
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd().until((messages) => messages.includes("STOPPING=1"));
      expect(systemd().messages).toEqual(["READY=1", "STOPPING=1"]);
    },
    TIME_LIMIT_MS,
  );

  it(
    "leaves no process behind when it is killed",
    async () => {
      const program = run(`notifyReady(); setInterval(() => {}, 1_000);`);
      await systemd().until((messages) => messages.includes("READY=1"));
      program.process.kill("SIGKILL");
      // A shell that were left behind would keep the program's output open.
      expect(await program.ended()).toBe("ended by SIGKILL");
    },
    TIME_LIMIT_MS,
  );
});

describe.skipIf(reason !== undefined)(`a start that takes long under systemd${skipped}`, () => {
  const { systemd, run } = supervised();

  it(
    "asks for two minutes more, twice a minute, until it is over",
    async () => {
      const program = run(`
        const delays = [];
        const due = [];
        const end = extendStart({ after: (ms, callback) => {
          delays.push(ms);
          due.push(callback);
          return () => due.pop();
        } });
        due.shift()();
        due.shift()();
        end();
        notifyStopping();
        console.log(JSON.stringify([delays, due.length]));`);
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd().until((messages) => messages.includes("STOPPING=1"));
      const more = "EXTEND_TIMEOUT_USEC=120000000";
      expect(systemd().messages).toEqual([more, more, "STOPPING=1"]);
      expect(program.output).toBe("[[30000,30000,30000],0]\n");
    },
    TIME_LIMIT_MS,
  );
});

describe.skipIf(reason !== undefined)(`the watchdog of systemd${skipped}`, () => {
  const { systemd, run } = supervised();

  it(
    "gets a sign of life within each interval, until the program ends this",
    async () => {
      const script = `const alive = setInterval(() => {}, 1_000);
          const end = startWatchdog(clock);
          process.once("SIGTERM", () => { end(); notifyStopping(); clearInterval(alive); });
          console.log("up");`;
      const program = run(script, { WATCHDOG_USEC: "300000" });
      await program.prints("up");
      await systemd().until((messages) => messages.length >= 4);
      program.process.kill("SIGTERM");
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd().until((messages) => messages.at(-1) === "STOPPING=1");
      expect(new Set(systemd().messages)).toEqual(new Set(["WATCHDOG=1", "STOPPING=1"]));
    },
    TIME_LIMIT_MS,
  );

  it(
    "keeps no program alive",
    async () => {
      const program = run(`startWatchdog(clock);`, { WATCHDOG_USEC: "60000000" });
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd().until((messages) => messages.length > 0);
      expect(systemd().messages).toEqual(["WATCHDOG=1"]);
    },
    TIME_LIMIT_MS,
  );

  it.each([
    ["of another process", { WATCHDOG_USEC: "300000", WATCHDOG_PID: "1" }],
    ["of no time", { WATCHDOG_USEC: "0" }],
    ["that is no number", { WATCHDOG_USEC: "soon" }],
    ["that is not set", {}],
  ])(
    "hears nothing where it is one %s",
    async (_what, env: Record<string, string>) => {
      const program = run(`startWatchdog(clock); notifyStopping();`, env);
      expect(await program.ended()).toBe("ended by exit 0");
      await systemd().until((messages) => messages.includes("STOPPING=1"));
      expect(systemd().messages).toEqual(["STOPPING=1"]);
    },
    TIME_LIMIT_MS,
  );
});

describe("a program without a supervisor", () => {
  it(
    "sends no message, starts no process and ends by itself",
    async () => {
      const script = `notifyReady("up"); startWatchdog(clock); notifyStopping();
        exitWhenParentDies(clock);
        console.log(process.getActiveResourcesInfo().filter((kind) => kind.startsWith("Process")));`;
      const program = new Program(script, { WATCHDOG_USEC: "300000" });
      expect(await program.ended()).toBe("ended by exit 0");
      expect(program.output).toBe("[]\n");
    },
    TIME_LIMIT_MS,
  );

  it(
    "goes on if its supervisor cannot be reached, and logs that",
    async () => {
      const program = new Program(`notifyReady(); notifyStopping(); console.log("on");`, {
        NOTIFY_SOCKET: "/nonexistent/socket",
      });
      expect(await program.ended()).toBe("ended by exit 0");
      expect(program.output).toMatch(/on\n/);
      expect(program.output.replace("on\n", "")).not.toBe("");
    },
    TIME_LIMIT_MS,
  );
});
