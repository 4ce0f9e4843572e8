/** The commands `meridian quarantine list`, `show`, `replay` and `drop`. */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import { dropped, quarantined, quarantinePage, type Described } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { DirectoryApi, getJson } from "../directory-api.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, nodeUrl, type PlaceFlags } from "../place.ts";
import { formatTable } from "../table.ts";
import { printJson, writeValue } from "./entries.ts";

/** The options of all of these commands. */
export interface QuarantineFlags extends Pick<PlaceFlags, "directory" | "node"> {
  readonly json?: boolean | undefined;
}

/** The options of `replay` and `drop`. */
export interface ReplayFlags extends QuarantineFlags {
  readonly all?: boolean | undefined;
  readonly overwrite?: boolean | undefined;
}

/** A node whose quarantine is looked at. */
interface Holder {
  readonly name: string;
  readonly url: string;
}

/** The members that a node's answers about quarantined entries must have. */
const page = v.object({
  entries: v.array(v.omit(quarantinePage.entries.entries.item, ["etag"])),
  next: quarantinePage.entries.next,
});
const shown = v.pick(quarantined, ["value", "encoding"]);
const decidedEntry = v.pick(dropped, ["id"]);

type Quarantined = Described<typeof page>["entries"][number];

const PAGE = 500;
const UNREACHABLE = "NO_READY_NODE";

/** `meridian quarantine list`: of the node that is named, or of all. */
export async function list(flags: QuarantineFlags, io: CliIo): Promise<number> {
  const holders =
    flags.node === undefined ? await allHolders(flags, io) : [await holderOf(flags, io)];
  const rows: (string | number)[][] = [];
  const entries: object[] = [];
  for (const holder of holders) {
    for await (const entry of entriesOf(holder)) {
      entries.push({ node: holder.name, ...entry });
      const { id, key, bytes, contentType, expiresAtMs, quarantinedAtMs } = entry;
      const expires = expiresAtMs === null ? "never" : new Date(expiresAtMs).toISOString();
      const since = new Date(quarantinedAtMs).toISOString();
      rows.push([holder.name, id, key, bytes, contentType, expires, since]);
    }
  }
  if (flags.json === true) printJson(io, { entries });
  else {
    const head = ["NODE", "ID", "KEY", "BYTES", "TYPE", "EXPIRES", "SINCE"];
    io.stdout.write(formatTable(head, rows));
  }
  return EXIT.ok;
}

/** `meridian quarantine show`: the raw value to stdout, or everything as JSON. */
export async function show(text: string, flags: QuarantineFlags, io: CliIo): Promise<number> {
  const id = readId(text);
  const { url } = await holderOf(flags, io);
  const found = await getJson(`${url}/quarantine/${id}`, shown, UNREACHABLE);
  if (flags.json === true) printJson(io, found);
  else writeValue(io, Buffer.from(found.value, found.encoding));
  return EXIT.ok;
}

/** `meridian quarantine replay`. Exit code 1 if one of them was not replayed. */
export function replay(ids: readonly string[], flags: ReplayFlags, io: CliIo): Promise<number> {
  const headers: Record<string, string> = flags.overwrite === true ? {} : { "if-none-match": "*" };
  const send = async ({ url }: Holder, id: number): Promise<void> => {
    const target = `${url}/quarantine/${id}/replay`;
    await getJson(target, decidedEntry, UNREACHABLE, { method: "POST", headers });
  };
  return decide(ids, flags, io, { done: "replayed", send });
}

/** `meridian quarantine drop`. Exit code 1 if one of them was not dropped. */
export function drop(ids: readonly string[], flags: ReplayFlags, io: CliIo): Promise<number> {
  const send = async ({ url }: Holder, id: number): Promise<void> => {
    await getJson(`${url}/quarantine/${id}`, decidedEntry, UNREACHABLE, { method: "DELETE" });
  };
  return decide(ids, flags, io, { done: "dropped", send });
}

/** What is done with entries, one by one. */
interface Decision {
  readonly done: string;
  readonly send: (holder: Holder, id: number) => Promise<void>;
}

async function decide(
  ids: readonly string[],
  flags: ReplayFlags,
  io: CliIo,
  { done, send }: Decision,
): Promise<number> {
  if ((flags.all === true) === ids.length > 0) {
    throw new MeridianError("INVALID_ARGUMENT", "Expected ids or `--all`, got both or neither");
  }
  // One that is named twice is decided once.
  const given = new Set(ids.map(readId));
  const holder = await holderOf(flags, io);
  const failures: { readonly id: number; readonly code: string; readonly detail: string }[] = [];
  const decided: number[] = [];
  for await (const id of flags.all === true ? idsOf(holder) : given) {
    try {
      await send(holder, id);
      decided.push(id);
    } catch (cause) {
      const { code, message } = asMeridianError(cause);
      // A node that cannot be reached for this entry cannot be reached for the next one either.
      if (code === UNREACHABLE) throw cause;
      failures.push({ id, code, detail: message });
    }
  }
  if (flags.json === true) printJson(io, { [done]: decided, failures });
  else {
    for (const { id, code, detail } of failures) io.stderr.write(`${id}: ${code}: ${detail}\n`);
    io.stdout.write(`${decided.length} ${done}\n`);
  }
  return failures.length === 0 ? EXIT.ok : EXIT.failure;
}

/** Everything in a node's quarantine, page by page. */
async function* entriesOf({ url }: Holder): AsyncGenerator<Quarantined> {
  for (let after: number | null = 0; after !== null;) {
    const target: string = `${url}/quarantine?after=${after}&limit=${PAGE}`;
    const { entries, next }: Described<typeof page> = await getJson(target, page, UNREACHABLE);
    yield* entries;
    after = next;
  }
}

async function* idsOf(holder: Holder): AsyncGenerator<number> {
  for await (const { id } of entriesOf(holder)) yield id;
}

async function holderOf(flags: QuarantineFlags, io: CliIo): Promise<Holder> {
  if (flags.node === undefined) {
    throw new MeridianError("INVALID_ARGUMENT", "Expected `--node`: ids are those of one node");
  }
  return { name: flags.node, url: await nodeUrl(flags.node, flags, io) };
}

async function allHolders(flags: QuarantineFlags, io: CliIo): Promise<readonly Holder[]> {
  const records = await new DirectoryApi(directoryUrls(flags, io)).nodes();
  const gone = records.filter(({ status }) => status === "gone");
  if (gone.length > 0) {
    const ids = gone.map(({ id }) => id).join(", ");
    io.stderr.write(`meridian: gone, so what they hold is not listed: ${ids}\n`);
  }
  const there = records.filter((record) => !gone.includes(record));
  return there.map(({ id, url }) => ({ name: id, url }));
}

function readId(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new MeridianError("INVALID_ARGUMENT", `Expected the id of an entry, got \`${text}\``);
}
