/**
 * Under which names a server answers. A page may come from a name that its owner has made an address of this machine
 * only after the browser had it (DNS rebinding). The browser then takes the server for the page's own, asks it freely,
 * and names no origin; but the name still stands in `Host`. Where a server is reached by its own machine alone, it
 * therefore answers only to addresses and names that nobody else can give it.
 */
import { MeridianError } from "@meridian/protocol";

/** Whether only this machine reaches a server that listens on `address`. */
export function isLoopback(address: string): boolean {
  return /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/i.test(address);
}

/** Decides which hosts a server answers to. */
export class HostPolicy {
  readonly #names: ReadonlySet<string> | "*";
  /** The last host that was allowed: nearly always the next one, too. */
  #last = "";

  /** Every host is allowed with `*`, else addresses, `localhost`, names under it, and `names`. */
  constructor(names: readonly string[] | "*") {
    this.#names = names === "*" ? "*" : new Set(names);
  }

  /** Why a request to `host`, which is well-formed, is not answered; undefined if it is. */
  error(host: string): MeridianError | undefined {
    if (host === this.#last || this.#names === "*") return undefined;
    const name = host.replace(/:\d*$/, "").toLowerCase();
    const isAddress = name.startsWith("[") || /^\d+(\.\d+){3}$/.test(name) || name === "";
    if (!isAddress && !/^(.*\.)?localhost\.?$/.test(name) && !this.#names.has(name)) {
      return new MeridianError(
        "HOST_NOT_ALLOWED",
        `Expected a request to an address, \`localhost\`, or one of \`--allow-host\`, got one to \`${host.slice(0, 200)}\``,
      );
    }
    this.#last = host;
    return undefined;
  }
}
