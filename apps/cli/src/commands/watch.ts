/** `meridian watch`: what becomes of keys, as it happens. */
import type { WatchEvent } from "@meridian/client";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { shownValue } from "../shown-value.ts";
import { limitOf, printJson, withClient, type KeysFlags } from "./entries.ts";

/** What it takes. */
export interface WatchFlags extends KeysFlags {
  readonly prefix?: string | undefined;
  readonly values?: boolean | undefined;
}

/** Prints events until the program is ended, or there have been as many as `--limit` says. */
export async function watch(
  key: string | undefined,
  flags: WatchFlags,
  io: CliIo,
): Promise<number> {
  let left = limitOf(flags);
  await withClient(flags, io, async (client) => {
    const { prefix, values } = flags;
    for await (const event of client.watch({ key, prefix, values })) {
      if (flags.json === true) printJson(io, jsonOf(event));
      else io.stdout.write(`${lineOf(event, values === true)}\n`);
      left -= 1;
      if (left <= 0) break;
    }
  });
  return EXIT.ok;
}

function lineOf(event: WatchEvent, withValues: boolean): string {
  if (event.event === "reload") return "reload: something may have been missed; read anew";
  const said = `${event.event} ${JSON.stringify(event.key)}`;
  if (event.event !== "set" || !withValues) return said;
  return `${said} ${shownValue(event.value)}`;
}

/** An event as JSON: bytes in base64, anything else as it is. */
function jsonOf(event: WatchEvent): object {
  if (event.event !== "set" || !(event.value instanceof Uint8Array)) return event;
  return { ...event, value: Buffer.from(event.value).toString("base64"), encoding: "base64" };
}
