/** Finds the node to which a command sends its requests. */
import { connect, type MeridianClient } from "@meridian/client";
import {
  MeridianError,
  parseCoordinates,
  withoutTrailingSlashes,
  type Coordinates,
} from "@meridian/protocol";

import { DirectoryApi } from "./directory-api.ts";
import type { CliIo } from "./io.ts";

/** The default URL of the directory. */
const DIRECTORY_URL = "http://127.0.0.1:7400";

/** The options of every command that sends requests to a cluster. */
export interface PlaceFlags {
  /** One URL, or several with commas in order of priority. */
  readonly directory?: string | undefined;
  readonly lat?: string | undefined;
  readonly lon?: string | undefined;
  /** The id of a node, whose URL the directory knows, or a URL. */
  readonly node?: string | undefined;
}

/** The URLs of the directories in order of priority: from the flag, the environment, or the default. */
export function directoryUrls(flags: PlaceFlags, io: CliIo): readonly string[] {
  const text = flags.directory ?? nonEmpty(io.env["MERIDIAN_DIRECTORY"]) ?? DIRECTORY_URL;
  return text.split(",").map((part) => {
    const url = part.trim();
    if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) {
      return withoutTrailingSlashes(url);
    }
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected the directory as a URL such as \`${DIRECTORY_URL}\`, or several with commas, got \`${text}\``,
    );
  });
}

/** The URL of the first directory. */
export function directoryUrl(flags: PlaceFlags, io: CliIo): string {
  return directoryUrls(flags, io)[0] ?? DIRECTORY_URL;
}

/** The place of `--lat` and `--lon`; undefined if neither is given. Throws `INVALID_COORDINATES` if only one is given, or they are no place on Earth. */
export function locationOf(flags: PlaceFlags, io: CliIo): Coordinates | undefined {
  const lat = flags.lat ?? nonEmpty(io.env["MERIDIAN_LAT"]);
  const lon = flags.lon ?? nonEmpty(io.env["MERIDIAN_LON"]);
  return lat === undefined && lon === undefined ? undefined : parseCoordinates(lat, lon);
}

/**
 * Opens a client of the node of `--node`, otherwise of the node nearest to the given place, otherwise of the first ready node. Each command
 * is a session of its own.
 */
export async function openClient(flags: PlaceFlags, io: CliIo): Promise<MeridianClient> {
  if (flags.node !== undefined) return connect({ nodes: [await nodeUrl(flags.node, flags, io)] });
  const directory = directoryUrls(flags, io);
  const location = locationOf(flags, io);
  if (location !== undefined) return connect({ directory, location });
  const nodes = await new DirectoryApi(directory).nodes();
  const ready = nodes.filter(({ status }) => status === "ready");
  if (ready.length > 0) return connect({ nodes: ready.map(({ url }) => url) });
  throw new MeridianError(
    "NO_READY_NODE",
    `Expected a ready node at ${directory.join(", ")}, got none`,
  );
}

/** The URL of a node, which is given by its id or its URL. */
export async function nodeUrl(node: string, flags: PlaceFlags, io: CliIo): Promise<string> {
  if (/^https?:\/\//.test(node)) return withoutTrailingSlashes(node);
  return (await new DirectoryApi(directoryUrls(flags, io)).node(node)).url;
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
