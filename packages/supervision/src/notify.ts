/**
 * The notify protocol of systemd: https://www.freedesktop.org/software/systemd/man/sd_notify.html
 *
 * It is spoken over a Unix datagram socket, which Node.js cannot open, so systemd's own `systemd-notify` says
 * it. Starting a process copies the page tables of this one, which stops a node that holds a gigabyte for tens
 * of milliseconds. So one small shell is started early, while there is little to copy, and is then given a
 * line for each message. It ends with its standard input, that is with this process.
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
 * Does nothing where no supervisor asks to be told.
 */
export function notifyReady(status?: string): void {
  if (status !== undefined) send(`STATUS=${status.replace(/\s+/g, " ")}`);
  send("READY=1");
}

/** Tells systemd that the service is going down by its own will. Does nothing where no supervisor asks to be told. */
export function notifyStopping(): void {
  send("STOPPING=1");
}

/**
 * Tells systemd at a third of its watchdog's time, again and again, that this process still takes turns.
 * Returns what ends that. Does nothing where no watchdog is set for this process.
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
  // What goes wrong in the shell, such as a missing `systemd-notify`, is to be read in the journal.
  const shell = spawn("/bin/sh", ["-c", RELAY], { stdio: ["pipe", "ignore", "inherit"] });
  const input = shell.stdin as Socket;
  // Without a shell the supervisor hears nothing, and does what it is set to do with silence.
  shell.on("error", () => {});
  input.on("error", () => {
    relay = undefined;
  });
  shell.unref();
  input.unref();
  return input;
}
