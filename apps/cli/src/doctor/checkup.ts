/** Asks every directory and every node how it stands, from where the command runs. */
import { connect } from "node:tls";

import {
  DIRECTORY_SAYS,
  examine as examineBy,
  NODE_SAYS,
  type Asked,
  type Checkup,
} from "@meridian/doctor";
import { asMeridianError } from "@meridian/protocol";
import type { Described } from "@meridian/protocol/http-api";
import type * as v from "valibot";

import { DirectoryApi, getJson } from "../directory-api.ts";

/** How long a server may take to show its certificate, in milliseconds. */
const PATIENCE_MS = 5_000;

/** Asks the directories of these URLs, those that they follow, and all nodes. Throws `DIRECTORY_UNREACHABLE` if none answers. */
export function examine(urls: readonly string[], nowMs: number): Promise<Checkup> {
  const asker = {
    directory: (url: string) => ask(url, DIRECTORY_SAYS),
    nodes: (url: string) => new DirectoryApi(url).nodes(),
    node: ({ url }: { readonly url: string }) => ask(url, NODE_SAYS),
  };
  return examineBy(urls, asker, nowMs);
}

async function ask<Schema extends v.GenericSchema>(
  url: string,
  schema: Schema,
): Promise<Asked<Described<Schema>>> {
  const expiresAtMs = url.startsWith("https:") ? await expiryAt(url) : undefined;
  try {
    const status = await getJson(`${url}/status`, schema, "NO_READY_NODE");
    return { url, status, failure: undefined, expiresAtMs };
  } catch (cause) {
    return { url, status: undefined, failure: asMeridianError(cause).message, expiresAtMs };
  }
}

/** When the certificate of a server expires, whether it is trusted or not. */
function expiryAt(url: string): Promise<number | undefined> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "");
  return new Promise((resolve) => {
    // Only the certificate is read; requests to the server check whether it is trusted.
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false }, () => {
      const { valid_to: expires } = socket.getPeerCertificate();
      socket.destroy();
      resolve(Date.parse(expires));
    });
    const giveUp = (): void => {
      socket.destroy();
      resolve(undefined);
    };
    socket.setTimeout(PATIENCE_MS, giveUp);
    socket.on("error", giveUp);
  });
}
