/**
 * Under which names a server answers. An attacker can make the name of its own site point to this machine after a browser has loaded a page from it
 * (DNS rebinding). The browser then takes this server for the page's own, and sends requests without an `Origin`; but `Host` still has the attacker's
 * name. So a server that only its own machine reaches answers only to addresses, and to names that no stranger can control.
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
