/** A program's certificates, tokens and revocations, according to its options. They are reloaded while the program runs. */
import {
  Credentials,
  type CredentialFiles,
  type DialCredentials,
  type ServerCredentials,
} from "@meridian/certificates";
import { asMeridianError } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";
import { OwnToken, Revocations, TokenVerifier } from "@meridian/tokens";

import { KnownAt } from "./known-at.ts";

/** The options of a program that concern security. */
interface SecurityFlags extends CredentialFiles {
  readonly cluster: string;
  readonly tokenKeys: string | null;
  readonly tokenFile: string | null;
  readonly tokenAgeMax: number;
  readonly data: string;
  readonly insecureNoTls: boolean;
  readonly insecureNoTokens: boolean;
}

/** How `Security` is opened. */
export interface SecurityOptions {
  readonly flags: SecurityFlags;
  /** The URLs of the directories that the program dials. */
  readonly dials: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The credentials for dialling a link. */
export interface Dialing extends DialCredentials {
  readonly headers: Readonly<Record<string, string>>;
}

/** A program's certificates and tokens. */
export class Security {
  /** Verifies tokens; undefined if the program demands none. */
  readonly authenticator: TokenVerifier | undefined;
  /** The revoked tokens. The program passes every entry that it applies to `revocations.take`. */
  readonly revocations: Revocations;
  readonly #flags: SecurityFlags;
  readonly #logger: Logger;
  readonly #credentials: Credentials;
  readonly #own: OwnToken;
  readonly #knownAt: KnownAt;

  private constructor(flags: SecurityFlags, parts: Parts) {
    this.#flags = flags;
    this.#logger = parts.logger;
    this.#credentials = parts.credentials;
    this.#own = parts.own;
    this.#knownAt = parts.knownAt;
    this.revocations = parts.revocations;
    this.authenticator = parts.authenticator;
  }

  /** Reads all files. Rejects with `INVALID_CONFIG`. */
  static async open({ flags, dials, clock, logger }: SecurityOptions): Promise<Security> {
    const { insecureNoTls, insecureNoTokens, tokenFile, tokenKeys, cluster } = flags;
    const watched = { clock, logger };
    const plain = insecureNoTls;
    const credentials = await Credentials.open({ files: flags, plain, dials, ...watched });
    const path = insecureNoTokens ? null : tokenFile;
    const own = new OwnToken({ path, dials, insecure: insecureNoTls });
    const knownAt = new KnownAt(flags.data, watched);
    const knownAtMs = await knownAt.read();
    const revocations = new Revocations({ ageMaxMs: flags.tokenAgeMax, knownAtMs, ...watched });
    const authenticator =
      tokenKeys === null || insecureNoTokens
        ? undefined
        : await TokenVerifier.open({ path: tokenKeys, cluster, revocations, ...watched });
    return new Security(flags, { credentials, own, logger, knownAt, revocations, authenticator });
  }

  /**
   * Reads the revocations from the program's data by `read`. If that fails, the program starts all the same, so that it can answer what is
   * wrong, and accepts only recently issued tokens. Reads nothing where the program asks for no tokens. Never rejects.
   */
  async learn(read: (revocations: Revocations) => Promise<void>): Promise<void> {
    if (this.authenticator === undefined) return;
    try {
      await read(this.revocations);
    } catch (cause) {
      const { code, message: why } = asMeridianError(cause);
      this.#logger.error(
        "revoked tokens cannot be read; only recently issued tokens are accepted",
        { code, why },
      );
      this.revocations.lose();
    }
  }

  /** The part that an HTTP server needs. */
  get serving(): {
    readonly insecure: boolean;
    readonly unguarded: boolean;
    readonly certificate?: ServerCredentials;
  } {
    const { server } = this.#credentials;
    return {
      insecure: this.#flags.insecureNoTls,
      unguarded: this.authenticator === undefined && !this.#flags.insecureNoTokens,
      ...(server && { certificate: server }),
    };
  }

  /** The credentials to dial with. They may change, so read this property for each connection. */
  get dialing(): Dialing {
    return { ...this.#credentials.dialing, headers: this.#own.headers };
  }

  /**
   * Starts watching the files; calls `take` with each new certificate to listen with. `wholeAtMs` returns when this program last had all of
   * the cluster's data, and so all revocations; undefined while it may lack some. `host` is where peers reach it, if that is known.
   */
  watch(
    take: (certificate: ServerCredentials) => void,
    wholeAtMs: () => number | undefined,
    host?: string,
  ): void {
    this.#credentials.watch(take, host);
    if (this.authenticator === undefined) return;
    this.authenticator.watch();
    this.#knownAt.watch(wholeAtMs, this.revocations);
  }

  /** Reads all files again and logs the result. `changed` has the options as they are now. Never rejects. */
  async reload(changed?: Pick<SecurityFlags, "tokenAgeMax">): Promise<void> {
    if (changed !== undefined) this.revocations.ageMaxMs = changed.tokenAgeMax;
    await this.#credentials.reload();
    await this.authenticator?.reload();
  }

  /** Stops watching the files. */
  stop(): void {
    this.#credentials.stop();
    this.authenticator?.stop();
    this.#knownAt.stop();
  }
}

interface Parts {
  readonly credentials: Credentials;
  readonly own: OwnToken;
  readonly logger: Logger;
  readonly knownAt: KnownAt;
  readonly revocations: Revocations;
  readonly authenticator: TokenVerifier | undefined;
}
