/** The commands that carry entries to and from files: `export`, `import`. */
import { createReadStream, statSync } from "node:fs";

import type { SetEntry } from "@meridian/client";
import { MeridianError, VALUE_BYTES_MAX } from "@meridian/protocol";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { batchesOf } from "../transfer/batches.ts";
import { continued, quoted } from "../transfer/continued.ts";
import { decodeEntryLine, encodeEntryLine, type EntryLine } from "../transfer/entry-line.ts";
import { readLines } from "../transfer/lines.ts";
import { Progress } from "../transfer/progress.ts";
import { withClient, writeOptions, type CommandFlags, type WriteFlags } from "./entries.ts";

/** The options of `export`. */
export interface ExportFlags extends CommandFlags {
  readonly after?: string | undefined;
  readonly rate?: string | undefined;
}

/** The options of `import`. */
export interface ImportFlags extends WriteFlags {
  readonly fromLine?: string | undefined;
  readonly rate?: string | undefined;
}

/** Six characters of JSON for a byte, and room for the key and the rest. */
const LINE_BYTES_MAX = 6 * VALUE_BYTES_MAX + 64 * 1024;

/** `meridian export`: the entries that have a value, in key order, a line of JSON each, to stdout. */
export async function exportEntries(
  prefix: string | undefined,
  flags: ExportFlags,
  io: CliIo,
): Promise<number> {
  const progress = new Progress(io, "exported", flags.rate);
  let { after } = flags;
  try {
    await withClient(flags, io, async (client) => {
      for await (const batch of batchesOf(client.rawEntries({ prefix, after }), valueBytes)) {
        const text = batch.map((entry) => encodeEntryLine(entry.key, entry)).join("");
        io.stdout.write(text);
        await io.drained?.();
        await progress.add(batch.length, text.length);
        after = batch.at(-1)?.key;
      }
    });
  } catch (cause) {
    throw continued(cause, after === undefined ? "" : `; go on with \`--after ${quoted(after)}\``);
  }
  progress.end();
  return EXIT.ok;
}

/**
 * `meridian import`: sets what the lines of a file or of stdin say. What has expired meanwhile is passed over. Lines are
 * stored in order: where one is wrong, all before its batch are stored, and the error names the line to go on with.
 */
export async function importEntries(
  file: string | undefined,
  flags: ImportFlags,
  io: CliIo,
): Promise<number> {
  const source = file === undefined ? undefined : new ImportFile(file);
  const input = source?.read() ?? io.stdin;
  if (input === undefined) {
    const said = "Expected a file or lines on stdin, got neither";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const progress = new Progress(io, "imported", flags.rate, () => source?.share);
  const first = lineNumber(flags.fromLine);
  const options = writeOptions(flags);
  let [next, expired] = [first, 0];
  try {
    await withClient(flags, io, async (client) => {
      const lines = decodedLines(input, first);
      for await (const batch of batchesOf(lines, valueBytes)) {
        const nowMs = Date.now();
        const live = batch.filter(({ expiresAtMs }) => expiresAtMs === null || expiresAtMs > nowMs);
        if (live.length > 0)
          await client.setMany(
            live.map((each) => asSet(each, nowMs)),
            options,
          );
        expired += batch.length - live.length;
        next = (batch.at(-1)?.line ?? next) + 1;
        const bytes = live.reduce((sum, { value }) => sum + value.length, 0);
        await progress.add(live.length, bytes);
      }
    });
  } catch (cause) {
    throw continued(
      cause,
      `; all before line ${next} is stored: go on with \`--from-line ${next}\``,
    );
  }
  progress.end(expired === 0 ? "" : `; ${expired} had expired`);
  return EXIT.ok;
}

function valueBytes({ value }: { readonly value: Uint8Array }): number {
  return value.length;
}

/** A file that is read, and how much of it has been. */
class ImportFile {
  readonly #path: string;
  #size = 0;
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** The part that has been read, from 0 to 1; undefined for what has no size, such as a pipe. */
  get share(): number | undefined {
    return this.#size === 0 ? undefined : this.#bytes / this.#size;
  }

  /** What the file holds. Throws `INVALID_ARGUMENT` where it cannot be read. */
  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      const facts = statSync(this.#path);
      this.#size = facts.isFile() ? facts.size : 0;
      for await (const chunk of createReadStream(this.#path)) {
        this.#bytes += (chunk as Buffer).length;
        yield chunk as Buffer;
      }
    } catch (cause) {
      const said = cause instanceof Error ? cause.message : String(cause);
      const expected = `Expected a file that can be read, got ${said}`;
      throw new MeridianError("INVALID_ARGUMENT", expected, { cause });
    }
  }
}

interface ReadLine extends EntryLine {
  readonly line: number;
}

async function* decodedLines(
  input: AsyncIterable<Uint8Array>,
  first: number,
): AsyncGenerator<ReadLine, void, undefined> {
  for await (const { text, line } of readLines(input, LINE_BYTES_MAX)) {
    if (line >= first) yield { ...decodeEntryLine(text, line), line };
  }
}

function asSet({ key, value, contentType, expiresAtMs }: ReadLine, nowMs: number): SetEntry {
  const ttlMs = expiresAtMs === null ? undefined : expiresAtMs - nowMs;
  return { key, value, contentType, ttlMs };
}

function lineNumber(text = "1"): number {
  const line = Number(text);
  if (Number.isSafeInteger(line) && line >= 1) return line;
  const said = `Expected \`--from-line\` as a whole number from 1, got \`${text}\``;
  throw new MeridianError("INVALID_ARGUMENT", said);
}
