/** Reads and checks a program's certificate files. Either all of them are accepted or none. */
import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { createSecureContext } from "node:tls";

import { MeridianError } from "@meridian/protocol";

/** Paths of PEM files, as the options of a program name them. */
export interface CredentialFiles {
  /** The certificate that a program listens and dials with, followed by its intermediate certificates. */
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** The authorities that it trusts when it dials; null for those of the platform. */
  readonly tlsCa: string | null;
  /** The authorities whose certificates it demands of peers that open links; null if they need no certificate. */
  readonly tlsClientCa: string | null;
}

/** The certificates and key that a program listens with, as PEM. */
export interface ServerCredentials {
  readonly cert: string;
  readonly key: string;
  readonly clientCa?: string;
}

/** The contents of the files. */
export interface Material {
  readonly server: ServerCredentials | undefined;
  readonly ca: string | undefined;
  /** The certificates of `server.cert`, its own first. */
  readonly chain: readonly X509Certificate[];
  readonly authorities: readonly X509Certificate[];
}

/** Throws `INVALID_CONFIG` if one of the paths lacks another that it needs. */
export function checkFiles({ tlsCert, tlsKey, tlsClientCa }: CredentialFiles): void {
  if ((tlsCert === null) !== (tlsKey === null)) {
    const [given, missing] =
      tlsCert === null ? ["--tls-key", "--tls-cert"] : ["--tls-cert", "--tls-key"];
    throw invalid(`Expected \`${missing}\` beside \`${given}\`, got nothing`);
  }
  if (tlsClientCa !== null && tlsCert === null) {
    throw invalid(
      "Expected `--tls-cert` beside `--tls-client-ca`: certificates of clients are asked for over TLS only",
    );
  }
}

/** Reads the files. Rejects with `INVALID_CONFIG`, which names the file, if a file is missing or incomplete, or if certificate and key do not match. */
export async function readMaterial(files: CredentialFiles): Promise<Material> {
  const [cert, key, ca, clientCa] = await Promise.all([
    readPem("--tls-cert", files.tlsCert),
    readPem("--tls-key", files.tlsKey),
    readPem("--tls-ca", files.tlsCa),
    readPem("--tls-client-ca", files.tlsClientCa),
  ]);
  const authorities = ca === undefined ? [] : certificatesOf("--tls-ca", files.tlsCa, ca);
  if (clientCa !== undefined) certificatesOf("--tls-client-ca", files.tlsClientCa, clientCa);
  if (cert === undefined || key === undefined) {
    return { server: undefined, ca, chain: [], authorities };
  }
  const chain = certificatesOf("--tls-cert", files.tlsCert, cert);
  if (chain[0]?.checkPrivateKey(keyOf(files.tlsKey, key)) !== true) {
    throw invalid(
      `Expected the key in \`${files.tlsKey}\` (--tls-key) to be that of the certificate in \`${files.tlsCert}\` (--tls-cert), got another one's`,
    );
  }
  const server = { cert, key, ...(clientCa !== undefined && { clientCa }) };
  try {
    // What the TLS library would refuse at each connection.
    createSecureContext({ cert, key, ca: clientCa });
  } catch (cause) {
    throw invalid(
      `Expected a certificate that TLS takes in \`${files.tlsCert}\`: ${messageOf(cause)}`,
      cause,
    );
  }
  return { server, ca, chain, authorities };
}

/** A reason for which peers refuse a certificate. */
export interface Defect {
  readonly kind: "expired" | "early" | "wrong-host" | "no-authority";
  /** What is wrong, as a sentence. */
  readonly says: string;
}

/** For what peers will refuse a certificate at a moment, as far as its owner can tell. `host` is where it is reached, if that is known. */
export function defectsOf(
  { chain, authorities }: Material,
  nowMs: number,
  host: string | undefined,
): readonly Defect[] {
  const [own] = chain;
  if (own === undefined) return [];
  const defects: Defect[] = [];
  if (chain.some((each) => Date.parse(each.validTo) <= nowMs)) {
    defects.push({ kind: "expired", says: "a certificate has expired; peers refuse it: renew it" });
  }
  if (Date.parse(own.validFrom) > nowMs) {
    const says = "the certificate is not good yet; peers refuse it: look at the clock";
    defects.push({ kind: "early", says });
  }
  if (
    host !== undefined &&
    (isIP(host) === 0 ? own.checkHost(host) : own.checkIP(host)) === undefined
  ) {
    const says = `the certificate is not for \`${host}\`, where peers reach this program: they refuse it`;
    defects.push({ kind: "wrong-host", says });
  }
  if (authorities.length > 0 && !leadsTo(chain, authorities)) {
    const says =
      "the certificate does not lead to an authority of --tls-ca: peers that trust only those refuse it. Is an intermediate certificate missing?";
    defects.push({ kind: "no-authority", says });
  }
  return defects;
}

/** Whether a chain ends at one of these authorities, as peers that trust only them demand. */
function leadsTo(
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  const linked = chain.every((each, index) => {
    const next = chain[index + 1];
    return next === undefined || isSignedBy(each, next);
  });
  const last = chain.at(-1);
  return (
    linked &&
    last !== undefined &&
    authorities.some((each) => each.raw.equals(last.raw) || isSignedBy(last, each))
  );
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

async function readPem(option: string, path: string | null): Promise<string | undefined> {
  if (path === null) return undefined;
  try {
    return await readFile(path, "latin1");
  } catch (cause) {
    throw invalid(
      `Expected to read \`${path}\` (${option}): ${(cause as NodeJS.ErrnoException).code ?? messageOf(cause)}`,
      cause,
    );
  }
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\sA-Za-z0-9+/=]+-----END CERTIFICATE-----/g;

/** Every certificate of a PEM text. Refuses a text that ends within a certificate: the file is still being written. */
function certificatesOf(
  option: string,
  path: string | null,
  text: string,
): readonly X509Certificate[] {
  const blocks = text.match(BLOCK) ?? [];
  const begun = text.split("-----BEGIN ").length - 1;
  if (blocks.length === 0 || blocks.length !== begun) {
    const got = begun === 0 ? "none" : "something else, or one that is cut off";
    throw invalid(`Expected whole certificates as PEM in \`${path}\` (${option}), got ${got}`);
  }
  return blocks.map((block) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw invalid(
        `Expected certificates as PEM in \`${path}\` (${option}): ${messageOf(cause)}`,
        cause,
      );
    }
  });
}

function keyOf(path: string | null, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch (cause) {
    // What the library says may quote the file.
    throw invalid(
      `Expected a private key as PEM without a passphrase in \`${path}\` (--tls-key), got something else, or one that is cut off`,
      cause,
    );
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function invalid(message: string, cause?: unknown): MeridianError {
  return new MeridianError("INVALID_CONFIG", message, { cause });
}
