/**
 * A certificate authority for one cluster: it signs the certificates of the cluster's programs. Peers that trust the authority's certificate
 * accept those programs. Keys are ECDSA over P-256, which every TLS library supports.
 */
import "reflect-metadata";

import { createPrivateKey, type webcrypto } from "node:crypto";
import { isIP } from "node:net";

import { MeridianError } from "@meridian/protocol";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  type Extension,
} from "@peculiar/x509";

const DAY_MS = 86_400_000;

/** A certificate is valid from so long before it is made, in milliseconds: the clocks of peers may be behind. */
const EARLY_MS = 3_600_000;

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate and its key, as PEM. */
export interface MadeCertificate {
  /** The certificate, then the intermediate certificates between it and the root. */
  readonly cert: string;
  readonly key: string;
}

/** How long a certificate is valid. */
export interface Validity {
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
  /** Counted from `nowMs`; negative for a certificate that has already expired. */
  readonly days: number;
}

/** What a certificate is for. */
export interface CertificateWish extends Validity {
  /** Host names and IP addresses of the certificate's owner, at least one. The first becomes the common name. */
  readonly hosts: readonly string[];
}

type Keys = webcrypto.CryptoKeyPair;

/** Signs certificates. */
export class Authority {
  /** Its own certificate, as PEM, which peers must trust. */
  readonly cert: string;
  /** Its private key, as PEM. */
  readonly key: string;
  readonly #certificate: X509Certificate;
  readonly #keys: Keys;
  /** The intermediate certificates between those that it signs and the root, as PEM. */
  readonly #chain: string;

  private constructor(made: MadeCertificate, certificate: X509Certificate, keys: Keys, chain = "") {
    this.cert = made.cert;
    this.key = made.key;
    this.#certificate = certificate;
    this.#keys = keys;
    this.#chain = chain;
  }

  /** Makes a root authority, whose certificate is signed by itself. */
  static async create(name: string, validity: Validity): Promise<Authority> {
    const keys = await newKeys();
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: `CN=${escaped(name)}`,
      keys,
      signingAlgorithm: ALGORITHM,
      ...datesOf(validity),
      extensions: await authorityExtensions(keys, 1),
    });
    const made = { cert: pem(certificate), key: await keyText(keys) };
    return new Authority(made, certificate, keys);
  }

  /** Loads an authority that was made before. Throws `INVALID_CONFIG` if `made` is not an authority's certificate and key. */
  static async load(made: MadeCertificate): Promise<Authority> {
    try {
      const certificate = new X509Certificate(made.cert);
      const pkcs8 = createPrivateKey(made.key).export({ type: "pkcs8", format: "der" });
      const privateKey = await crypto.subtle.importKey("pkcs8", pkcs8, ALGORITHM, true, ["sign"]);
      const publicKey = await certificate.publicKey.export(ALGORITHM, ["verify"]);
      return new Authority(made, certificate, { privateKey, publicKey });
    } catch (cause) {
      throw new MeridianError(
        "INVALID_CONFIG",
        "Expected the certificate and the key of an authority as PEM, got something else",
        { cause },
      );
    }
  }

  /** Makes an intermediate authority, whose certificate this one signs. */
  async intermediate(name: string, validity: Validity): Promise<Authority> {
    const keys = await newKeys();
    const extensions = [
      ...(await authorityExtensions(keys, 0)),
      await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
    ];
    const certificate = await this.#sign(name, keys, validity, extensions);
    const made = { cert: pem(certificate), key: await keyText(keys) };
    return new Authority(made, certificate, keys, made.cert + this.#chain);
  }

  /** Makes a certificate with which its owner may both listen and dial. Throws `INVALID_ARGUMENT` for a host that is neither a name nor an address. */
  async issue({ hosts, ...validity }: CertificateWish): Promise<MadeCertificate> {
    const names = hosts.map(nameOf);
    const [first] = names;
    if (first === undefined) {
      throw new MeridianError("INVALID_ARGUMENT", "Expected a host for a certificate, got none");
    }
    const keys = await newKeys();
    const certificate = await this.#sign(first.value, keys, validity, [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([...names]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
    ]);
    return { cert: pem(certificate) + this.#chain, key: await keyText(keys) };
  }

  #sign(
    name: string,
    keys: Keys,
    validity: Validity,
    extensions: Extension[],
  ): Promise<X509Certificate> {
    return X509CertificateGenerator.create({
      // Names of hosts may be longer than a common name, which nobody reads any more.
      subject: `CN=${escaped(name.slice(0, 64))}`,
      issuer: this.#certificate.subjectName,
      publicKey: keys.publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      ...datesOf(validity),
      extensions,
    });
  }
}

function nameOf(host: string): { readonly type: "dns" | "ip"; readonly value: string } {
  if (isIP(host) !== 0) return { type: "ip", value: host };
  if (/^(\*\.)?[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)*$/i.test(host)) {
    return { type: "dns", value: host };
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a host as a name or an address, such as \`cache.example.com\` or \`10.0.0.1\`, got \`${host.slice(0, 200)}\``,
  );
}

async function authorityExtensions(keys: Keys, below: number): Promise<Extension[]> {
  return [
    new BasicConstraintsExtension(true, below, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign + KeyUsageFlags.cRLSign, true),
    await SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
}

function datesOf({ nowMs, days }: Validity): { notBefore: Date; notAfter: Date } {
  const notAfter = nowMs + days * DAY_MS;
  return {
    notBefore: new Date(Math.min(nowMs, notAfter) - EARLY_MS),
    notAfter: new Date(notAfter),
  };
}

function newKeys(): Promise<Keys> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function keyText({ privateKey }: Keys): Promise<string> {
  const bytes = Buffer.from(await crypto.subtle.exportKey("pkcs8", privateKey));
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN PRIVATE KEY-----\n${lines.join("\n")}\n-----END PRIVATE KEY-----\n`;
}

function pem(certificate: X509Certificate): string {
  return `${certificate.toString("pem")}\n`;
}

/** Escapes a text for the name in a certificate. */
function escaped(text: string): string {
  return text.replace(/[,+"\\<>;=#]/g, (character) => `\\${character}`);
}
