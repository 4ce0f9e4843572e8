import { readFileSync } from "node:fs";

import { MeridianError } from "@meridian/protocol";
import {
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
  type Authenticator,
} from "@nats-io/transport-node";

/** Where a stream is. */
export interface StreamAddress {
  /** Hosts with their ports. */
  readonly servers: readonly string[];
  readonly tls: boolean;
}

const PORT = 4222;

const HOST = /^(\[[\da-f:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/i;

/** Reads `nats://host:4222,host…`, or `tls://…` to demand TLS. Throws `INVALID_CONFIG`. */
export function parseAddress(text: string): StreamAddress {
  const expected = "Expected `log` to be like `nats://host:4222,other:4222` or `tls://host:4222`";
  const [, scheme, hosts] = /^(nats|tls):\/\/(.+?)\/?$/i.exec(text) ?? [];
  if (scheme === undefined || hosts === undefined) {
    throw new MeridianError("INVALID_CONFIG", `${expected}, got \`${text}\``);
  }
  const servers = hosts.split(",").map((each) => {
    const [, host, port = String(PORT)] = HOST.exec(each.replace(/^(nats|tls):\/\//i, "")) ?? [];
    // A password in an address would be told in the list of processes.
    const got = each.includes("@")
      ? "one with a user; name a file with `log-credentials`"
      : `\`${each}\``;
    if (host === undefined || Number(port) > 65_535) {
      throw new MeridianError("INVALID_CONFIG", `${expected}, got ${got}`);
    }
    return `${host}:${port}`;
  });
  return { servers, tls: scheme.toLowerCase() === "tls" };
}

/**
 * Reads a file of credentials: one that NATS made (`.creds`), a seed of an nkey, `user:password`, or a token. The file is read again for each
 * connection. Throws `INVALID_CONFIG`.
 */
export function authenticatorOf(path: string): Authenticator {
  readCredentials(path);
  // What cannot be read any more, the server refuses.
  const current = (nonce?: string): ReturnType<Authenticator> =>
    authenticatorFor(readCredentials(path))(nonce);
  return current;
}

function readCredentials(path: string): string {
  try {
    const text = readFileSync(path, "utf8").trim();
    if (text !== "") return text;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError("INVALID_CONFIG", `The credentials of the log cannot be read: ${why}`);
  }
  throw new MeridianError("INVALID_CONFIG", `Expected credentials of NATS in ${path}, got nothing`);
}

function authenticatorFor(text: string): Authenticator {
  const bytes = new TextEncoder().encode(text);
  if (text.includes("-----BEGIN NATS USER JWT-----")) {
    // The client looks for the line break behind the last line.
    return credsAuthenticator(new TextEncoder().encode(`${text}\n`));
  }
  if (/^SU[A-Z2-7]{56}$/.test(text)) return nkeyAuthenticator(bytes);
  const colon = text.indexOf(":");
  if (colon < 0) return tokenAuthenticator(text);
  return usernamePasswordAuthenticator(text.slice(0, colon), text.slice(colon + 1));
}
