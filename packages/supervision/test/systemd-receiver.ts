import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Why these tests cannot run here; undefined if they can. */
export function reasonToSkip(): string | undefined {
  if (process.platform !== "linux")
    return `the notify protocol is Linux's, this is ${process.platform}`;
  const missing = ["systemd-notify", "systemd-socket-activate"].find(
    (program) => spawnSync(program, ["--version"]).status !== 0,
  );
  return missing === undefined ? undefined : `${missing} is not installed`;
}

/** Receives messages of the notify protocol on a datagram socket of its own. */
export class SystemdReceiver {
  readonly socketPath: string;
  readonly #folder: string;
  readonly #process: ChildProcess;
  #heard = "";
  #waiting: (() => void) | undefined;

  private constructor() {
    this.#folder = mkdtempSync(join(tmpdir(), "meridian-notify-"));
    this.socketPath = join(this.#folder, "socket");
    // `systemd-socket-activate` opens the socket and, at the first datagram, runs `cat`, which prints all datagrams.
    this.#process = spawn(
      "systemd-socket-activate",
      ["--datagram", `--listen=${this.socketPath}`, "/bin/sh", "-c", "exec cat <&3"],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#process.stdout?.on("data", (chunk: Buffer) => {
      this.#heard += chunk.toString();
      this.#waiting?.();
    });
  }

  /** Starts a receiver. Resolves once it listens. */
  static async start(): Promise<SystemdReceiver> {
    const receiver = new SystemdReceiver();
    await new Promise<void>((resolve, reject) => {
      receiver.#process.once("error", reject);
      receiver.#process.stderr?.on("data", (chunk: Buffer) => {
        if (chunk.toString().includes("Listening on")) resolve();
      });
    });
    return receiver;
  }

  /** The messages so far, in order, without `BARRIER=1`, by which a sender waits until its messages have been read. */
  get messages(): string[] {
    // Datagrams come without a separator. Every message except a status is in capitals.
    const known =
      /READY=1|EXTEND_TIMEOUT_USEC=\d+|STOPPING=1|WATCHDOG=1|BARRIER=1|STATUS=.*?(?=BARRIER=1)/gs;
    return [...this.#heard.matchAll(known)]
      .map(([text]) => text)
      .filter((text) => text !== "BARRIER=1");
  }

  /** Resolves once `enough` returns true for the messages so far. */
  async until(enough: (messages: readonly string[]) => boolean): Promise<void> {
    while (!enough(this.messages)) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#process.once("close", resolve));
    this.#process.kill("SIGKILL");
    await ended;
    if (existsSync(this.#folder)) rmSync(this.#folder, { recursive: true });
  }
}
