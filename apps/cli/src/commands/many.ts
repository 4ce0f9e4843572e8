/** The commands that take several keys: `mget`, `mset`, `del`, `touch`, `ttl`, `entries`. */
import type { MeridianClient } from "@meridian/client";
import { MeridianError, parseTtlMs } from "@meridian/protocol";

import { argumentValue } from "../argument-value.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { instant, shownBytes } from "../shown-value.ts";
import { formatTable } from "../table.ts";
import { continued } from "../transfer/continued.ts";
import { encodeEntryLine, entryJson } from "../transfer/entry-line.ts";
import { Progress } from "../transfer/progress.ts";
import {
  limitOf,
  printJson,
  withClient,
  writeOptions,
  type CommandFlags,
  type KeysFlags,
  type SetFlags,
  type WriteFlags,
} from "./entries.ts";

/** The options of `del`. */
export interface DelFlags extends WriteFlags {
  readonly prefix?: string | undefined;
}

/** The options of `touch`. */
export interface TouchFlags extends WriteFlags {
  readonly ttl?: string | undefined;
  readonly at?: string | undefined;
}

/** The options of `entries`. */
export interface EntriesFlags extends KeysFlags {
  readonly after?: string | undefined;
}

/** How many keys `del --prefix` deletes with one request. */
const PAGE_KEYS = 1_000;

/** `meridian mget`: the values of keys, in the order of the keys. With `--json`, one object per line. */
export async function mget(
  keys: readonly string[],
  flags: CommandFlags,
  io: CliIo,
): Promise<number> {
  // The client puts gets of one turn into one request.
  const entries = await withClient(flags, io, (client) =>
    Promise.all(keys.map(async (key) => [key, await client.getRaw(key)] as const)),
  );
  if (flags.json === true) {
    for (const [key, entry] of entries) {
      printJson(io, { key, found: entry !== undefined, ...(entry && entryJson(entry)) });
    }
  } else {
    const rows = entries.map(([key, entry]) =>
      entry === undefined
        ? [key, "no", "", ""]
        : [key, "yes", entry.contentType, shownBytes(entry.value)],
    );
    io.stdout.write(formatTable(["KEY", "FOUND", "TYPE", "VALUE"], rows));
  }
  return entries.some(([, entry]) => entry === undefined) ? EXIT.keyNotFound : EXIT.ok;
}

/** `meridian mset`: sets the values of several keys: all or none, up to a thousand. */
export async function mset(words: readonly string[], flags: SetFlags, io: CliIo): Promise<number> {
  if (words.length % 2 !== 0) {
    const said = `Expected a value for each key, got none for \`${words.at(-1) ?? ""}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const ttlMs = flags.ttl === undefined ? undefined : parseTtlMs(flags.ttl);
  const given = Array.from({ length: words.length / 2 }, (_, index) => ({
    key: words[2 * index] ?? "",
    ttlMs,
    ...argumentValue(words[2 * index + 1] ?? "", flags.type),
  }));
  const result = await withClient(flags, io, (c) => c.setMany(given, writeOptions(flags)));
  const { entries, acknowledged } = result;
  if (flags.json === true) {
    const written = entries.map((each) => ({ ...each, expiresAtMs: each.expiresAtMs ?? null }));
    printJson(io, { entries: written, acknowledged });
  } else {
    const rows = entries.map(({ key, etag, expiresAtMs }) => [key, etag, instant(expiresAtMs)]);
    io.stdout.write(formatTable(["KEY", "ETAG", "EXPIRES"], rows));
  }
  return EXIT.ok;
}

/** `meridian del`: deletes keys, or all keys with a prefix. A key without a value is no failure. */
export async function del(keys: readonly string[], flags: DelFlags, io: CliIo): Promise<number> {
  const { prefix } = flags;
  if ((prefix === undefined) === (keys.length === 0)) {
    const got = prefix === undefined ? "neither" : "both";
    throw new MeridianError("INVALID_ARGUMENT", `Expected keys or \`--prefix\`, got ${got}`);
  }
  if (prefix === "") {
    // What a script's unset variable would ask for.
    const said = "Expected a `--prefix` of at least one character, got an empty one";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  if (prefix !== undefined) return delPrefix(prefix, flags, io);
  const [key = ""] = keys;
  return keys.length === 1 ? delOne(key, flags, io) : delMany(keys, flags, io);
}

async function delOne(key: string, flags: DelFlags, io: CliIo): Promise<number> {
  const result = await withClient(flags, io, (c) => c.delete(key, writeOptions(flags)));
  const { etag, deleted, acknowledged } = result;
  if (flags.json === true) printJson(io, { key, etag, deleted: deleted ?? null, acknowledged });
  else {
    const said = deleted === undefined ? "unknown" : deleted ? "yes" : "no";
    io.stdout.write(formatTable(["KEY", "EXISTED", "ETAG"], [[key, said, etag]]));
  }
  return EXIT.ok;
}

async function delMany(keys: readonly string[], flags: DelFlags, io: CliIo): Promise<number> {
  const result = await withClient(flags, io, (c) => c.deleteMany(keys, writeOptions(flags)));
  if (flags.json === true) printJson(io, result);
  else {
    const existed = new Set(result.deleted);
    const rows = [...new Set(keys)].map((key) => [key, existed.has(key) ? "yes" : "no"]);
    io.stdout.write(formatTable(["KEY", "EXISTED"], rows));
  }
  return EXIT.ok;
}

/** A page of keys after the other: what is deleted is no longer listed, so the same command goes on where it was broken off. */
async function delPrefix(prefix: string, flags: DelFlags, io: CliIo): Promise<number> {
  const progress = new Progress(io, "deleted", undefined);
  let count = 0;
  try {
    await withClient(flags, io, async (client) => {
      let [page, bytes]: [string[], number] = [[], 0];
      const deletePage = async (): Promise<void> => {
        const { deleted } = await client.deleteMany(page, writeOptions(flags));
        count += deleted.length;
        await progress.add(deleted.length, bytes);
        [page, bytes] = [[], 0];
      };
      for await (const info of client.keys({ prefix, pageSize: PAGE_KEYS })) {
        page.push(info.key);
        bytes += info.bytes;
        if (page.length === PAGE_KEYS) await deletePage();
      }
      if (page.length > 0) await deletePage();
    });
  } catch (cause) {
    throw continued(cause, `; ${count} keys were deleted, and the same command again goes on`);
  }
  progress.end();
  if (flags.json === true) printJson(io, { prefix, deleted: count });
  return EXIT.ok;
}

/** `meridian touch`: makes values live for another time, or until an instant, without sending them. */
export async function touch(
  keys: readonly string[],
  flags: TouchFlags,
  io: CliIo,
): Promise<number> {
  const move = moveOf(flags);
  const found = await withClient(flags, io, (client) =>
    Promise.all(keys.map(async (key) => [key, await move(client, key)] as const)),
  );
  if (flags.json === true) {
    for (const [key, isThere] of found) printJson(io, { key, found: isThere });
  } else {
    const rows = found.map(([key, isThere]) => [key, isThere ? "yes" : "no"]);
    io.stdout.write(formatTable(["KEY", "FOUND"], rows));
  }
  return found.every(([, isThere]) => isThere) ? EXIT.ok : EXIT.keyNotFound;
}

function moveOf(flags: TouchFlags): (client: MeridianClient, key: string) => Promise<boolean> {
  const { ttl, at } = flags;
  const options = writeOptions(flags);
  if ((ttl === undefined) === (at === undefined)) {
    const got = ttl === undefined ? "neither" : "both";
    throw new MeridianError("INVALID_ARGUMENT", `Expected \`--ttl\` or \`--at\`, got ${got}`);
  }
  if (ttl !== undefined) {
    const ttlMs = parseTtlMs(ttl);
    return (client, key) => client.touch(key, { ...options, ttlMs });
  }
  const instantMs = at === "never" ? undefined : Date.parse(at ?? "");
  if (Number.isNaN(instantMs)) {
    const said = `Expected \`--at\` as an instant such as \`2030-01-31T12:00:00Z\`, or \`never\`, got \`${at ?? ""}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  return (client, key) => client.expireAt(key, instantMs, options);
}

/** `meridian ttl`: how much longer values live, as `--ttl` takes it. */
export async function ttl(
  keys: readonly string[],
  flags: CommandFlags,
  io: CliIo,
): Promise<number> {
  const lives = await withClient(flags, io, (client) =>
    Promise.all(keys.map(async (key) => [key, await client.ttl(key)] as const)),
  );
  if (flags.json === true) {
    for (const [key, ms] of lives) {
      const isForEver = ms === Infinity;
      printJson(io, { key, found: ms !== undefined, ttlMs: isForEver ? null : (ms ?? null) });
    }
  } else {
    io.stdout.write(
      formatTable(
        ["KEY", "TTL"],
        lives.map(([key, ms]) => [key, lifeText(ms)]),
      ),
    );
  }
  return lives.every(([, ms]) => ms !== undefined) ? EXIT.ok : EXIT.keyNotFound;
}

function lifeText(ms: number | undefined): string {
  if (ms === undefined) return "no value";
  if (ms === Infinity) return "never expires";
  return ms < 1_000 ? `${Math.ceil(ms)}ms` : `${Math.ceil(ms / 1_000)}s`;
}

/** `meridian entries`: keys and their values, without counting as a use. With `--json`, lines as those of `export`. */
export async function entries(
  prefix: string | undefined,
  flags: EntriesFlags,
  io: CliIo,
): Promise<number> {
  const limit = limitOf(flags);
  const rows: string[][] = [];
  await withClient(flags, io, async (client) => {
    let left = limit;
    const { after } = flags;
    const pageSize = Math.min(limit, 100);
    for await (const entry of client.rawEntries({ prefix, after, pageSize })) {
      const { key, value, contentType, expiresAtMs } = entry;
      if (flags.json === true) {
        io.stdout.write(encodeEntryLine(key, entry));
        await io.drained?.();
      } else rows.push([key, contentType, instant(expiresAtMs), shownBytes(value)]);
      left -= 1;
      if (left <= 0) break;
    }
  });
  if (flags.json !== true) {
    io.stdout.write(formatTable(["KEY", "TYPE", "EXPIRES", "VALUE"], rows));
  }
  return EXIT.ok;
}
