/** Certificates and tokens for regions that are measured. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { Authority } from "@meridian/certificates/authority";
import { systemClock, systemRandom } from "@meridian/runtime";
import { createToken, makeSigningKey, publicKeysOf } from "@meridian/tokens";
import { Agent, fetch as fetchWith, type RequestInit as SecureInit } from "undici";

/** Certificates and a token of one cluster. */
export interface BenchCredentials {
  readonly authority: string;
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly certFile: string;
  readonly keyFile: string;
  /** The options of a program that speaks TLS. */
  readonly tlsArgs: readonly string[];
  /** The options of a program that demands tokens. */
  readonly tokenArgs: readonly string[];
  /** A token that may read and write every key. */
  readonly token: string;
  /** A `fetch` that trusts the certificate. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** Ends what `fetch` keeps open. */
  readonly close: () => Promise<void>;
}

/** Makes credentials, and writes their files into a folder. */
export async function makeBenchCredentials(folder: string): Promise<BenchCredentials> {
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const nowMs = systemClock.nowMs();
  const authority = await Authority.create("bench", { nowMs, days: 2 });
  const certificate = await authority.issue({ hosts: ["127.0.0.1"], nowMs, days: 1 });
  const key = await makeSigningKey();
  const wish = { prefixes: [""], nodes: [], subject: "bench", cluster: "meridian", nowMs } as const;
  const expiresAtMs = nowMs + 86_400_000;
  const { token } = await createToken(key, { ...wish, scope: "write", expiresAtMs }, systemRandom);
  const [certFile, keyFile] = [
    file("cert.pem", certificate.cert),
    file("key.pem", certificate.key),
  ];
  const dispatcher = new Agent({ connect: { ca: authority.cert } });
  return {
    authority: authority.cert,
    certificate,
    certFile,
    keyFile,
    tlsArgs: [`--tls-cert=${certFile}`, `--tls-key=${keyFile}`],
    tokenArgs: [`--token-keys=${file("keys.json", JSON.stringify(publicKeysOf([key])))}`],
    token,
    fetch: (url, init) =>
      fetchWith(url, { ...init, dispatcher } as SecureInit) as unknown as Promise<Response>,
    close: () => dispatcher.close(),
  };
}
