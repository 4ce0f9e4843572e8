/**
 * The address of a peer as people write it: an IPv4 address that came in through an IPv6 socket
 * (`::ffff:127.0.0.1`) without the wrapping, and no zone (`fe80::1%eth0`). Empty for a peer that is gone already.
 */
export function plainAddress(remoteAddress: string | undefined): string {
  const [address = ""] = (remoteAddress ?? "").split("%");
  const wrapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  return wrapped?.[1] ?? address;
}
