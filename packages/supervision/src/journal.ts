import { fstatSync } from "node:fs";

/** Whether a file descriptor is connected to systemd's journal, according to the environment variable `JOURNAL_STREAM`. */
export function goesToJournal(
  descriptor: number,
  { JOURNAL_STREAM: stream }: Readonly<Record<string, string | undefined>>,
): boolean {
  if (stream === undefined) return false;
  try {
    const { dev, ino } = fstatSync(descriptor);
    return stream === `${dev}:${ino}`;
  } catch {
    return false;
  }
}
