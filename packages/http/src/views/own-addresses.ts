/**
 * Keeps what is handed on to nodes away from the machine of the directory itself. A node registers its own URL, so without this anyone with
 * the token of a node could have the directory ask programs that only its own machine reaches, or the service of a cloud
 * that tells a machine's secrets at 169.254.169.254.
 */
import { lookup as resolve } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";

const OWN = new BlockList();
OWN.addSubnet("0.0.0.0", 8, "ipv4");
OWN.addSubnet("127.0.0.0", 8, "ipv4");
OWN.addSubnet("169.254.0.0", 16, "ipv4");
OWN.addSubnet("224.0.0.0", 3, "ipv4");
OWN.addAddress("::", "ipv6");
OWN.addAddress("::1", "ipv6");
OWN.addSubnet("fe80::", 10, "ipv6");
OWN.addSubnet("ff00::", 8, "ipv6");

/** Whether an address stands for this machine, for its own link, or for many machines. */
export function isOwnAddress(address: string): boolean {
  return OWN.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");
}

/** Whether a host, as it stands in a URL, is such an address. A name is judged when it is looked up. */
export function isOwnHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "");
  return isIP(host) !== 0 && isOwnAddress(host);
}

/** Looks a name up as `node:dns` does, and fails for one that has such an address. */
export const lookUpElsewhere: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, options, (failure, found: unknown, family) => {
    const addresses = typeof found === "string" ? [{ address: found }] : listOf(found);
    const own = addresses.find(({ address }) => isOwnAddress(address));
    if (failure === null && own !== undefined) {
      return callback(new Error(saidOf(`${hostname} is ${own.address}`)), []);
    }
    callback(failure, found as string, family);
  });
};

/** Why such an address is not asked. */
export function saidOf(got: string): string {
  return `a directory that other machines reach asks no program of its own machine or link, and ${got}`;
}

function listOf(found: unknown): readonly { readonly address: string }[] {
  return Array.isArray(found) ? (found as { readonly address: string }[]) : [];
}
