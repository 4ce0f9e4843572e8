/** Sets the trusted authorities and the token of all requests of the command. The platform's `fetch` has no such setting, so this module replaces it. */
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";

import { MeridianError } from "@meridian/protocol";

const platform = globalThis.fetch;

/** Trusts only the authorities whose certificates are in a file. Throws `INVALID_CONFIG` if the file cannot be used. */
export async function trust(path: string): Promise<void> {
  const ca = await readAuthorities(path);
  const { Agent, fetch } = await import("undici");
  const dispatcher = new Agent({ connect: { ca } });
  const trusting = (input: string | URL, init: object = {}): unknown =>
    fetch(input, { ...init, dispatcher });
  globalThis.fetch = trusting as typeof globalThis.fetch;
}

/** Sends a token with every request: that of a file, or the given one. Throws `INVALID_CONFIG` if the file cannot be used. */
export async function show(path: string | undefined, given: string | undefined): Promise<void> {
  const token = path === undefined ? (given ?? "") : await readToken(path);
  if (token === "") return;
  const plain = globalThis.fetch;
  globalThis.fetch = (input, init = {}) => {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${token.trim()}`);
    return plain(input, { ...init, headers });
  };
}

async function readToken(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError("INVALID_CONFIG", `Expected a token in \`${path}\`: ${why}`, { cause });
  }
}

/** Trusts the authorities of the platform again, and sends no token. */
export function trustPlatform(): void {
  globalThis.fetch = platform;
}

async function readAuthorities(path: string): Promise<string> {
  try {
    const text = await readFile(path, "utf8");
    createSecureContext({ ca: text });
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
    throw new Error("there is none");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected certificates as PEM in \`${path}\` (--ca): ${why}`,
      { cause },
    );
  }
}
