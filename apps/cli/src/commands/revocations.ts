/** `meridian token revoke` and `meridian token list`: revoke tokens and list revoked ones. */
import { isTokenId, MeridianError, parseTtlMs } from "@meridian/protocol";
import { revocationPage, revoked, type Described } from "@meridian/protocol/http-api";
import { systemClock } from "@meridian/runtime";

import { DirectoryApi, getJson } from "../directory-api.ts";
import { EXIT } from "../exit-codes.ts";
import { issuedToken } from "../issued-tokens.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, nodeUrl, type PlaceFlags } from "../place.ts";
import { formatTable } from "../table.ts";
import { printJson } from "./entries.ts";

/** The options of both commands. */
export interface RevocationFlags extends Pick<PlaceFlags, "directory" | "node"> {
  readonly json?: boolean | undefined;
}

/** The options of `revoke`. */
export interface RevokeFlags extends RevocationFlags {
  readonly ttl?: string | undefined;
  readonly ack: string;
  readonly timeout?: string | undefined;
  readonly folder: string;
}

/** How much longer than its token a revocation is kept, in milliseconds, because clocks differ. */
const MARGIN_MS = 3_600_000;
const PAGE = 1_000;
const UNREACHABLE = "NO_READY_NODE";

/** `meridian token revoke`: by the token itself, or by its id. */
export async function tokenRevoke(given: string, flags: RevokeFlags, io: CliIo): Promise<number> {
  const { id, expiresAtMs } = tokenOf(given) ?? issuedToken(flags.folder, given) ?? { id: given };
  if (!isTokenId(id)) throw notToken();
  const query = new URLSearchParams({ ack: flags.ack });
  if (flags.timeout !== undefined) query.set("timeout", flags.timeout);
  const ttlMs = flags.ttl === undefined ? undefined : parseTtlMs(flags.ttl);
  const leftMs =
    ttlMs ?? (expiresAtMs && Math.max(0, expiresAtMs - systemClock.nowMs()) + MARGIN_MS);
  if (leftMs !== undefined) query.set("ttl", `${Math.ceil(leftMs / 1_000)}s`);
  const url = await regionUrl(flags, io);
  const target = `${url}/revocations/${encodeURIComponent(id)}?${query.toString()}`;
  const told = await getJson(target, revoked, UNREACHABLE, { method: "PUT" });
  if (flags.json === true) printJson(io, told);
  else {
    const until =
      told.expiresAtMs === null
        ? "for ever, as nobody said when it would expire (--ttl)"
        : `until ${new Date(told.expiresAtMs).toISOString()}, when it will have expired`;
    io.stdout.write(`Revoked ${told.id}, ${until}\n`);
  }
  return EXIT.ok;
}

/** `meridian token list`: lists the revoked tokens. */
export async function tokenList(flags: RevocationFlags, io: CliIo): Promise<number> {
  const url = await regionUrl(flags, io);
  const entries: Described<typeof revocationPage>["entries"][number][] = [];
  for (let after: string | null = ""; after !== null;) {
    const target: string = `${url}/revocations?limit=${PAGE}&after=${encodeURIComponent(after)}`;
    const page: Described<typeof revocationPage> = await getJson(
      target,
      revocationPage,
      UNREACHABLE,
    );
    entries.push(...page.entries);
    after = page.next;
  }
  if (flags.json === true) printJson(io, { entries });
  else {
    const rows = entries.map(({ id, expiresAtMs }) => [
      id,
      expiresAtMs === null ? "never" : new Date(expiresAtMs).toISOString(),
    ]);
    io.stdout.write(formatTable(["REVOKED", "KEPT UNTIL"], rows));
  }
  return EXIT.ok;
}

/** Reads the id and expiry of a token without verifying it. */
function tokenOf(text: string): { readonly id: string; readonly expiresAtMs?: number } | undefined {
  const [, claims] = /^[\w-]+\.([\w-]+)\.[\w-]+$/.exec(text.trim()) ?? [];
  if (claims === undefined) return undefined;
  try {
    const { jti, exp } = JSON.parse(Buffer.from(claims, "base64url").toString()) as {
      readonly jti?: unknown;
      readonly exp?: unknown;
    };
    if (typeof jti === "string") {
      return { id: jti, ...(typeof exp === "number" && { expiresAtMs: exp * 1_000 }) };
    }
  } catch {
    // The message below does not contain the text, because it may be a token.
  }
  throw notToken();
}

function notToken(): MeridianError {
  return new MeridianError("INVALID_ARGUMENT", "Expected a token or its id, got something else");
}

/** The named region, or the first ready one: a revocation is replicated from any region. */
async function regionUrl(flags: RevocationFlags, io: CliIo): Promise<string> {
  if (flags.node !== undefined) return nodeUrl(flags.node, flags, io);
  const directories = directoryUrls(flags, io);
  const nodes = await new DirectoryApi(directories).nodes();
  const ready = nodes.find(({ status }) => status === "ready");
  if (ready !== undefined) return ready.url;
  throw new MeridianError(
    "NO_READY_NODE",
    `Expected a ready node at ${directories.join(", ")}, got none`,
  );
}
