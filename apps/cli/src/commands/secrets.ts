/** `meridian init`, `meridian certificate` and `meridian token`: make the secret keys of a cluster, and certificates and tokens with them. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { Authority } from "@meridian/certificates/authority";
import { checkIdentifier, MeridianError, parseTtlMs } from "@meridian/protocol";
import type { Scope } from "@meridian/protocol/http-api";
import { systemClock, systemRandom } from "@meridian/runtime";
import { createToken, makeSigningKey, publicKeysOf, type SigningKey } from "@meridian/tokens";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { recordIssued } from "../issued-tokens.ts";

/** The options of these commands. */
export interface CertificateFlags {
  /** Names with commas between them, of a machine each. */
  readonly host?: readonly string[];
  readonly days: string;
  readonly folder?: string;
  readonly renew?: boolean;
}

/** The options of `token create`. */
export interface TokenFlags {
  readonly scope: string;
  readonly prefix?: readonly string[];
  readonly node?: readonly string[];
  readonly cluster: string;
  readonly subject?: string;
  readonly folder: string;
  readonly expires: string;
}

const AUTHORITY_DAYS = 3_650;
const DAYS_MAX = AUTHORITY_DAYS;

/** A machine without a name is this one. */
const LOCAL = "localhost,127.0.0.1,::1";

const AUTHORITY = { cert: "ca.pem", key: "ca-key.pem" } as const;
/** Keys of tokens: public ones, and the one that signs. */
const SIGNING = { cert: "token-keys.json", key: "signing-key.json" } as const;
const MACHINE = { cert: "cert.pem", key: "key.pem" } as const;

/** The mode of secret files: only the owner can read them. */
const SECRET = 0o600;
const PUBLIC = 0o644;
const FOLDER = 0o700;

/** `meridian init`: makes all keys and certificates, in an empty folder. */
export async function init(folder: string, flags: CertificateFlags, io: CliIo): Promise<number> {
  const days = daysOf(flags);
  const machines = (flags.host ?? [LOCAL]).map(namesOf);
  const names = machines.map(([first]) => first);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    const said = `Expected machines whose first names differ, got \`${twice}\` twice`;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected a new or empty folder, got \`${folder}\`: what is there is not overwritten. \`meridian certificate\` adds a machine`,
    );
  }
  const nowMs = systemClock.nowMs();
  const authority = await Authority.create("Meridian", { nowMs, days: AUTHORITY_DAYS });
  // Everything is made before anything is written, so that an error leaves no files behind.
  const made = await Promise.all(
    machines.map(async (hosts) => ({
      name: hosts[0],
      ...(await authority.issue({ hosts, nowMs, days })),
    })),
  );
  const signing = await makeSigningKey();
  mkdirSync(folder, { recursive: true, mode: FOLDER });
  writePair(folder, AUTHORITY, authority);
  writePair(folder, SIGNING, { cert: json(publicKeysOf([signing])), key: json(signing) });
  for (const { name, ...certificate } of made) {
    mkdirSync(join(folder, name), { mode: FOLDER });
    writePair(join(folder, name), MACHINE, certificate);
  }
  io.stdout.write(
    [
      `Made an authority and ${made.length === 1 ? "a certificate" : `${made.length} certificates`} in ${folder}:`,
      `  ${join(folder, AUTHORITY.cert)}      for --tls-ca and --tls-client-ca everywhere, and --ca of this command`,
      `  ${join(folder, AUTHORITY.key)}  makes certificates: keep it off the machines, and in a safe place`,
      `  ${join(folder, SIGNING.cert)}  for --token-keys everywhere`,
      `  ${join(folder, SIGNING.key)}  signs tokens (\`meridian token create\`): keep it as safe`,
      ...names.map((name) => `  ${machineLine(folder, name)}`),
      "",
    ].join("\n"),
  );
  return EXIT.ok;
}

/** `meridian certificate`: makes a certificate for another machine, or a new one for a machine. */
export async function certificate(
  text: string,
  flags: CertificateFlags,
  io: CliIo,
): Promise<number> {
  const { folder = "secrets", renew = false } = flags;
  const days = daysOf(flags);
  const hosts = namesOf(text);
  const [name] = hosts;
  const place = join(folder, name);
  const isThere = existsSync(join(place, MACHINE.cert));
  if (isThere !== renew) {
    const said = renew
      ? `Expected a certificate in \`${place}\` to renew, got none`
      : `Expected no certificate in \`${place}\`, got one; \`--renew\` replaces it`;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const authority = await Authority.load({
    cert: readSecret(join(folder, AUTHORITY.cert)),
    key: readSecret(join(folder, AUTHORITY.key)),
  });
  const made = await authority.issue({ hosts, nowMs: systemClock.nowMs(), days });
  mkdirSync(place, { recursive: true, mode: FOLDER });
  writePair(place, MACHINE, made);
  io.stdout.write(`Made ${machineLine(folder, name)}\n`);
  return EXIT.ok;
}

/** `meridian token create`: writes a token to stdout. */
export async function tokenCreate(flags: TokenFlags, io: CliIo): Promise<number> {
  const { scope, prefix, node = [], cluster, subject = "", folder, expires } = flags;
  const nowMs = systemClock.nowMs();
  const wish = {
    scope: scope as Scope,
    prefixes: prefix ?? (scope === "node" ? [] : [""]),
    nodes: node.map((id) => (id === "*" ? id : checkIdentifier("the id of a node", id))),
    cluster,
    subject,
    nowMs,
    expiresAtMs: nowMs + parseTtlMs(expires),
  };
  const key = readKey(join(folder, SIGNING.key));
  const { token, id } = await createToken(key, wish, systemRandom);
  const grant = scope === "node" ? { nodes: wish.nodes } : { prefixes: wish.prefixes };
  recordIssued(folder, {
    made: "token",
    at: new Date(nowMs).toISOString(),
    id,
    subject,
    cluster,
    scope,
    ...grant,
    expires: new Date(wish.expiresAtMs).toISOString(),
    key: key.kid,
  });
  io.stdout.write(`${token}\n`);
  return EXIT.ok;
}

/** `meridian token rotate`: makes a new signing key; tokens of older keys stay valid until they expire. */
export async function tokenRotate(
  { folder }: Pick<TokenFlags, "folder">,
  io: CliIo,
): Promise<number> {
  const known = JSON.parse(readSecret(join(folder, SIGNING.cert))) as { readonly keys: unknown[] };
  const signing = await makeSigningKey();
  const keys = [...publicKeysOf([signing]).keys, ...known.keys];
  const at = new Date(systemClock.nowMs()).toISOString();
  recordIssued(folder, { made: "key", at, key: signing.kid });
  writePair(folder, SIGNING, { cert: json({ keys }), key: json(signing) });
  io.stdout.write(
    `Made a key. Copy ${join(folder, SIGNING.cert)} to every machine before you make tokens with it; take keys out of it to void their tokens\n`,
  );
  return EXIT.ok;
}

function readKey(path: string): SigningKey {
  try {
    const key = JSON.parse(readSecret(path)) as SigningKey;
    if (typeof key.kid === "string" && typeof key.d === "string") return key;
  } catch (cause) {
    if (cause instanceof MeridianError) throw cause;
  }
  throw new MeridianError("INVALID_CONFIG", `Expected a key that signs tokens in \`${path}\``);
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function machineLine(folder: string, name: string): string {
  const place = join(folder, name);
  return `${join(place, MACHINE.cert)}, ${join(place, MACHINE.key)}  for --tls-cert and --tls-key of ${name}`;
}

/** Writes each file under another name first, so that no file is incomplete. */
function writePair(
  folder: string,
  files: { readonly cert: string; readonly key: string },
  made: { readonly cert: string; readonly key: string },
): void {
  for (const [file, text, mode] of [
    [files.key, made.key, SECRET],
    [files.cert, made.cert, PUBLIC],
  ] as const) {
    const path = join(folder, file);
    writeFileSync(`${path}.new`, text, { mode });
    renameSync(`${path}.new`, path);
  }
}

function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected \`${path}\`, as \`meridian init\` makes it: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}

function namesOf(text: string): readonly [string, ...string[]] {
  const [first = "", ...others] = text.split(",").map((name) => name.trim());
  // It becomes the name of a folder; whether it is one of a host, the authority says.
  if (/^[a-z\d*][a-z\d.:*-]*$/i.test(first)) return [first, ...others];
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected names such as \`cache.example.com,10.0.0.1\`, got \`${text.slice(0, 200)}\``,
  );
}

function daysOf({ days }: CertificateFlags): number {
  const count = /^\d+$/.test(days) ? Number(days) : 0;
  if (count >= 1 && count <= DAYS_MAX) return count;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`--days\` to be a whole number from 1 to ${DAYS_MAX}, got \`${days}\``,
  );
}
