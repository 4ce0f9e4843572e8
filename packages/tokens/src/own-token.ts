/** The token that a program sends to other programs. The file may be replaced while the program runs. */
import { readFileSync } from "node:fs";

import { MeridianError } from "@meridian/protocol";

/** How a program's own token is opened. */
export interface OwnTokenOptions {
  /** The file with the token; null for none. */
  readonly path: string | null;
  /** The URLs that the token is sent to. */
  readonly dials: readonly string[];
  /** Whether the token may be sent without TLS to other machines. */
  readonly insecure: boolean;
}

/** A token in a file. */
export class OwnToken {
  readonly #path: string | null;
  #last = "";

  /** Throws `INVALID_CONFIG` if the file has no token, or if the token would be sent without TLS to another machine and `insecure` is false. */
  constructor({ path, dials, insecure }: OwnTokenOptions) {
    this.#path = path;
    if (path === null) return;
    this.#last = readToken(path);
    const plain = dials.find((url) => !isPrivate(url));
    if (plain === undefined || insecure) return;
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected \`https:\` for ${plain}, to which the token of \`--token-file\` is shown, got a URL without TLS; \`--insecure-no-tls\` shows it nevertheless`,
    );
  }

  /** The headers to dial with. The file is read each time; if that fails, the last token is used. */
  get headers(): Readonly<Record<string, string>> {
    if (this.#path === null) return {};
    try {
      this.#last = readToken(this.#path);
    } catch {
      // The file is being written, or is gone; the peer decides whether the last token is valid.
    }
    return { authorization: `Bearer ${this.#last}` };
  }
}

function readToken(path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8").trim();
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "it cannot be read";
    throw invalid(`Expected a token in \`${path}\` (--token-file): ${why}`, cause);
  }
  if (/^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return text;
  throw invalid(`Expected a token in \`${path}\` (--token-file), got something else`);
}

function isPrivate(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}

function invalid(message: string, cause?: unknown): MeridianError {
  return new MeridianError("INVALID_CONFIG", message, { cause });
}
