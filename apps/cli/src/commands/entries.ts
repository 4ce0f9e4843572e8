/** The commands that read and write one entry, and list keys: `get`, `set`, `keys`. */
import type { AckLevel, MeridianClient, WriteOptions } from "@meridian/client";
import { MeridianError, parseTtlMs } from "@meridian/protocol";

import { argumentValue, bytesValue } from "../argument-value.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { openClient, type PlaceFlags } from "../place.ts";
import { instant } from "../shown-value.ts";
import { formatTable } from "../table.ts";
import { entryJson } from "../transfer/entry-line.ts";

/** The options of every command. */
export interface CommandFlags extends PlaceFlags {
  readonly json?: boolean | undefined;
}

/** The options of `set` and `del`. */
export interface WriteFlags extends CommandFlags {
  readonly ack?: string | undefined;
  readonly timeout?: string | undefined;
}

/** The options of `set`. */
export interface SetFlags extends WriteFlags {
  readonly ttl?: string | undefined;
  readonly type?: string | undefined;
}

/** The options of `keys`. */
export interface KeysFlags extends CommandFlags {
  readonly limit?: string | undefined;
}

const LINE_BREAK = 10;

/** `meridian get`: writes only the raw bytes to stdout; on a terminal, also a line break. */
export async function get(key: string, flags: CommandFlags, io: CliIo): Promise<number> {
  const entry = await withClient(flags, io, (client) => client.getRaw(key));
  if (entry === undefined) {
    if (flags.json === true) printJson(io, { key, found: false });
    else io.stderr.write(`meridian: no value for ${JSON.stringify(key)}\n`);
    return EXIT.keyNotFound;
  }
  if (flags.json === true) printJson(io, { key, found: true, ...entryJson(entry) });
  else writeValue(io, entry.value);
  return EXIT.ok;
}

/** Writes a value as it is stored; on a terminal with a line break, so that the prompt is on a line of its own. */
export function writeValue(io: CliIo, value: Uint8Array): void {
  io.stdout.write(value);
  if (io.isTerminal && value.at(-1) !== LINE_BREAK) io.stdout.write("\n");
}

/** `meridian set`: sets the value of the argument, or of stdin. */
export async function set(
  key: string,
  argument: string | undefined,
  flags: SetFlags,
  io: CliIo,
): Promise<number> {
  const { value, contentType } =
    argument === undefined
      ? bytesValue(await readAll(io), flags.type)
      : argumentValue(argument, flags.type);
  const ttlMs = flags.ttl === undefined ? undefined : parseTtlMs(flags.ttl);
  const options = { ...writeOptions(flags), ttlMs, contentType };
  const result = await withClient(flags, io, (client) => client.set(key, value, options));
  const { etag, expiresAtMs, acknowledged } = result;
  if (flags.json === true) {
    printJson(io, { key, etag, expiresAtMs: expiresAtMs ?? null, acknowledged });
  } else {
    const rows = [[key, value.length, etag, instant(expiresAtMs)]];
    io.stdout.write(formatTable(["KEY", "BYTES", "ETAG", "EXPIRES"], rows));
  }
  return EXIT.ok;
}

/** `meridian keys`. With `--json`, one object per line, as they arrive. */
export async function keys(
  prefix: string | undefined,
  flags: KeysFlags,
  io: CliIo,
): Promise<number> {
  const limit = limitOf(flags);
  const rows: (string | number)[][] = [];
  await withClient(flags, io, async (client) => {
    let left = limit;
    for await (const info of client.keys({ prefix, pageSize: Math.min(limit, 1000) })) {
      const { key, bytes, contentType, etag, expiresAtMs } = info;
      if (flags.json === true) {
        printJson(io, { key, bytes, contentType, etag, expiresAtMs: expiresAtMs ?? null });
      } else rows.push([key, bytes, contentType, instant(expiresAtMs)]);
      left -= 1;
      if (left <= 0) break;
    }
  });
  if (flags.json !== true) io.stdout.write(formatTable(["KEY", "BYTES", "TYPE", "EXPIRES"], rows));
  return EXIT.ok;
}

/** The number in `--limit`, else infinity. Throws `INVALID_ARGUMENT`. */
export function limitOf(flags: Pick<KeysFlags, "limit">): number {
  const limit = flags.limit === undefined ? Infinity : Number(flags.limit);
  if (limit === Infinity || (Number.isInteger(limit) && limit >= 1)) return limit;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`--limit\` as a whole number from 1, got \`${flags.limit ?? ""}\``,
  );
}

/** Writes one JSON value and a line break to stdout. */
export function printJson(io: CliIo, value: unknown): void {
  io.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Connects by the flags, runs a function with the client, and closes the client. */
export async function withClient<T>(
  flags: CommandFlags,
  io: CliIo,
  use: (client: MeridianClient) => Promise<T>,
): Promise<T> {
  const client = await openClient(flags, io);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

/** Reads the options of a write from its flags. */
export function writeOptions(flags: WriteFlags): WriteOptions {
  const { ack, timeout } = flags;
  const level =
    ack !== undefined && /^\d+$/.test(ack) ? Number(ack) : (ack as AckLevel | undefined);
  return { ack: level, timeoutMs: timeout === undefined ? undefined : parseTtlMs(timeout) };
}

async function readAll(io: CliIo): Promise<Uint8Array> {
  if (io.stdin === undefined) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      "Expected a value as an argument or on stdin, got neither",
    );
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of io.stdin) chunks.push(chunk);
  return Buffer.concat(chunks);
}
