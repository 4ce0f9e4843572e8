import { fstatSync } from "node:fs";

/** Whether what is written to a descriptor goes to systemd's journal, which says in the environment which file it reads. */
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
