/**
 * The certificates of a running program. They are read at the start, whenever the program is told to, and when a file has
 * changed. If new files cannot be used, the log says so and the old certificates stay in use: an operator who renews
 * certificates writes one file after the other, and for a moment they do not match. The old
 * certificate also stays where peers would refuse the new one for a reason that does not apply to the old one.
 */
import { stat } from "node:fs/promises";

import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";

import {
  checkFiles,
  defectsOf,
  readMaterial,
  type CredentialFiles,
  type Defect,
  type Material,
  type ServerCredentials,
} from "./credential-files.ts";

/** How credentials are opened. */
export interface CredentialsOptions {
  readonly files: CredentialFiles;
  /** Whether the program listens without TLS even if it has a certificate. */
  readonly plain?: boolean;
  /** The URLs that the program dials. If none is an `https:` URL, files that only dialling needs are not read. */
  readonly dials?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** How often the files are looked at, in milliseconds. Default: 5 000. */
  readonly watchMs?: number;
}

/** The certificates and key that a program dials with, as PEM. */
export interface DialCredentials {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly minVersion: "TLSv1.2";
}

const WATCH_MS = 5_000;
const DAY_MS = 86_400_000;

/** From so many days before a certificate expires, the log warns once a day. */
const WARN_DAYS = 14;

const LONG_AGO = -Infinity;

/** A program's certificates. */
export class Credentials {
  readonly #options: CredentialsOptions;
  #material: Material;
  #signature: string;
  /** The signature of the files that were last found unusable: they are told once. */
  #refused = "";
  /** When files that are not written again may become usable: the beginning of a certificate that is not good yet. */
  #usableAtMs = Infinity;
  /** Where peers reach the program. */
  #host: string | undefined;
  #warnedAtMs = LONG_AGO;
  #listener: (server: ServerCredentials) => void = () => {};
  #cancel: () => void = () => {};
  #isStopped = false;
  #reading: Promise<void> = Promise.resolve();

  private constructor(options: CredentialsOptions, material: Material, signature: string) {
    this.#options = options;
    this.#material = material;
    this.#signature = signature;
  }

  /** Reads the files. Rejects with `INVALID_CONFIG`. */
  static async open(given: CredentialsOptions): Promise<Credentials> {
    const files = usedFiles(given);
    checkFiles(files);
    const signature = await signatureOf(files);
    const options = { ...given, files };
    const credentials = new Credentials(options, await readMaterial(files), signature);
    credentials.#warn();
    return credentials;
  }

  /** The certificate to listen with; undefined for listening without TLS. */
  get server(): ServerCredentials | undefined {
    return this.#options.plain === true ? undefined : this.#material.server;
  }

  /** The certificate and authorities to dial with. They may change, so read this property for each connection. */
  get dialing(): DialCredentials {
    const { server, ca } = this.#material;
    return {
      minVersion: "TLSv1.2",
      ...(ca !== undefined && { ca }),
      ...(server && { cert: server.cert, key: server.key }),
    };
  }

  /**
   * Starts watching the files; calls `take` with each new certificate to listen with. `take` throws if it cannot use it.
   * `host` is the name or address under which peers reach the program; undefined where it is not known.
   */
  watch(take: (server: ServerCredentials) => void, host?: string): void {
    const { logger, files } = this.#options;
    this.#listener = take;
    this.#host = this.server === undefined ? undefined : host;
    for (const { kind, says } of this.#defects(this.#material)) {
      if (kind === "wrong-host") logger.warn(says, { file: files.tlsCert });
    }
    this.#lookLater();
  }

  /** Stops watching the files. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** Reads the files again, whether they have changed or not, and logs the result. Never rejects. */
  reload(): Promise<void> {
    this.#reading = this.#reading.then(async () => {
      this.#refused = "";
      await this.#read(await signatureOf(this.#options.files));
    });
    return this.#reading;
  }

  #lookLater(): void {
    const { files, clock, watchMs = WATCH_MS } = this.#options;
    if (this.#isStopped || Object.values(files).every((path) => path === null)) return;
    this.#cancel = clock.after(watchMs, () => {
      this.#reading = this.#reading.then(() => this.#look());
      void this.#reading.then(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    const signature = await signatureOf(this.#options.files);
    const isKnown = signature === this.#refused && this.#options.clock.nowMs() < this.#usableAtMs;
    const isNew = signature !== this.#signature && !isKnown;
    if (isNew) await this.#read(signature);
    this.#warn();
  }

  async #read(signature: string): Promise<void> {
    const { logger, files } = this.#options;
    this.#usableAtMs = Infinity;
    try {
      const material = await readMaterial(files);
      this.#refuseWorse(material);
      if (material.server !== undefined && this.server !== undefined) {
        this.#listener(material.server);
      }
      this.#material = material;
      this.#signature = signature;
      this.#refused = "";
      this.#warnedAtMs = LONG_AGO;
      if (material.server === undefined && material.ca === undefined) return;
      logger.info("certificates were read again; connections that are open go on", {
        expires: material.chain[0]?.validTo,
      });
      this.#warn();
    } catch (cause) {
      this.#refused = signature;
      const { code, message } = asMeridianError(cause);
      logger.error("certificates cannot be used; the previous ones stay in use", {
        code,
        why: message,
      });
    }
  }

  /** Warns of certificates that peers refuse or will soon refuse. */
  #warn(): void {
    const { logger, clock, files } = this.#options;
    const { chain } = this.#material;
    const nowMs = clock.nowMs();
    const [own] = chain;
    if (own === undefined || nowMs - this.#warnedAtMs < DAY_MS) return;
    this.#warnedAtMs = nowMs;
    const { subject, issuer, validFrom: from, validTo: expires } = own;
    const fields = { file: files.tlsCert, subject, issuer, from, expires };
    for (const { kind, says } of this.#defects(this.#material)) {
      logger[kind === "expired" || kind === "early" ? "error" : "warn"](says, fields);
    }
    const leftMs = Math.min(...chain.map(({ validTo }) => Date.parse(validTo))) - nowMs;
    if (leftMs > 0 && leftMs < WARN_DAYS * DAY_MS) {
      logger.warn("a certificate expires soon; renew it", fields);
    }
  }

  #defects(material: Material): readonly Defect[] {
    return defectsOf(material, this.#options.clock.nowMs(), this.#host);
  }

  /** Throws `INVALID_CONFIG` for a certificate that peers refuse for what they do not refuse the present one for. */
  #refuseWorse(material: Material): void {
    const known = new Set(this.#defects(this.#material).map(({ kind }) => kind));
    const [worse] = this.#defects(material).filter(({ kind }) => !known.has(kind));
    if (worse === undefined) return;
    const [own] = material.chain;
    if (worse.kind === "early" && own !== undefined) this.#usableAtMs = Date.parse(own.validFrom);
    throw new MeridianError("INVALID_CONFIG", worse.says);
  }
}

function usedFiles({ files, plain = false, dials }: CredentialsOptions): CredentialFiles {
  const { tlsCert, tlsKey, tlsCa, tlsClientCa } = files;
  const dialsSecurely = dials?.some((url) => url.startsWith("https:")) !== false;
  const own = plain && !dialsSecurely ? { tlsCert: null, tlsKey: null } : { tlsCert, tlsKey };
  return {
    ...own,
    tlsCa: dialsSecurely ? tlsCa : null,
    tlsClientCa: plain ? null : tlsClientCa,
  };
}

/** A text that changes when a file is written, replaced, or removed. */
async function signatureOf(files: CredentialFiles): Promise<string> {
  const { tlsCert, tlsKey, tlsCa, tlsClientCa } = files;
  const parts = [tlsCert, tlsKey, tlsCa, tlsClientCa].map(async (path) => {
    if (path === null) return "";
    try {
      const { mtimeMs, size, ino } = await stat(path);
      return `${mtimeMs}:${size}:${ino}`;
    } catch {
      return "missing";
    }
  });
  return (await Promise.all(parts)).join(",");
}
