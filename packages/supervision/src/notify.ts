/**
 * The notify protocol of systemd: https://www.freedesktop.org/software/systemd/man/sd_notify.html
 *
 * The protocol uses a Unix datagram socket, which Node.js cannot open, so systemd's own `systemd-notify` sends the
 * messages. To start a process copies the page tables of this one, which stops a node that holds a gigabyte for tens
 * of milliseconds. So one small shell is started early, while the process is small, and gets one
 * line for each message. The shell ends when its standard input does, that is with this process.
 *
 * The messages come from children, so the unit needs `NotifyAccess=all`, and `KillMode=mixed` for the shell
 * to live long enough to say that the service is stopping.
 */
import { spawn } from "node:child_process";
import type { Socket } from "node:net";

import type { Clock } from "@meridian/runtime";

const RELAY = 'while IFS= read -r message; do systemd-notify "$message"; done';

let relay: Socket | undefined;

/**
 * Tells systemd that the service is up. `status` is one line for `systemctl status`.
 * Does nothing without `NOTIFY_SOCKET`.
 */
export function notifyReady(status?: string): void {
  if (status !== undefined) send(`STATUS=${status.replace(/\s+/g, " ")}`);
  send("READY=1");
}

/** How long systemd is to wait for the start from each message on, and how often that is said, in milliseconds. */
const STARTING_MS = 120_000;
const STARTING_EVERY_MS = 30_000;

/**
 * Asks systemd for more time to start while the event loop of this process runs: a log or a snapshot may take minutes to read. Returns a function that
 * ends this. Does nothing without `NOTIFY_SOCKET`.
 */
export function extendStart(clock: Pick<Clock, "after">): () => void {
  let cancel = (): void => {};
  if (!process.env["NOTIFY_SOCKET"]) return cancel;
  const extend = (): void => {
    cancel = clock.after(STARTING_EVERY_MS, () => {
      send(`EXTEND_TIMEOUT_USEC=${STARTING_MS * 1_000}`);
      extend();
    });
  };
  extend();
  return () => cancel();
}

/** Tells systemd that the service is stopping in order. Does nothing without `NOTIFY_SOCKET`. */
export function notifyStopping(): void {
  send("STOPPING=1");
}

/**
 * Tells systemd three times in each watchdog interval that the event loop of this process runs.
 * Returns a function that ends this. Does nothing if no watchdog is set for this process.
 */
export function startWatchdog(clock: Pick<Clock, "after">): () => void {
  const timeoutMs = watchdogMs();
  let cancel = (): void => {};
  if (timeoutMs === undefined) return cancel;
  const ping = (): void => {
    send("WATCHDOG=1");
    cancel = clock.after(timeoutMs / 3, ping);
  };
  ping();
  return () => cancel();
}

/** The time within which systemd expects a sign of life, in milliseconds. */
function watchdogMs(): number | undefined {
  const { NOTIFY_SOCKET, WATCHDOG_PID, WATCHDOG_USEC } = process.env;
  const timeoutMs = Number(WATCHDOG_USEC) / 1_000;
  if (!NOTIFY_SOCKET || !(timeoutMs > 0)) return undefined;
  const forUs = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid);
  return forUs ? timeoutMs : undefined;
}

function send(message: string): void {
  if (!process.env["NOTIFY_SOCKET"]) return;
  relay ??= startRelay();
  relay.write(`${message}\n`);
}

function startRelay(): Socket {
  // Errors of the shell, such as a missing `systemd-notify`, go to the journal.
  const shell = spawn("/bin/sh", ["-c", RELAY], { stdio: ["pipe", "ignore", "inherit"] });
  const input = shell.stdin as Socket;
  // Without a shell systemd gets no message, and acts as the unit's timeouts say.
  shell.on("error", () => {});
  input.on("error", () => {
    relay = undefined;
  });
  shell.unref();
  input.unref();
  return input;
}
