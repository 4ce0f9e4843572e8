import { asMeridianError, checkIdentifier, MeridianError, type Hello } from "@meridian/protocol";

/** Throws `MALFORMED_MESSAGE` unless the node's names are ones that addresses and answers can carry. */
export function checkNames({ nodeId, region, url }: Hello): void {
  try {
    checkIdentifier("a node id", nodeId);
    checkIdentifier("a region", region);
  } catch (cause) {
    throw new MeridianError("MALFORMED_MESSAGE", asMeridianError(cause).message, { cause });
  }
  if (url === null || /^https?:\/\/[^\s]+$/.test(url)) return;
  throw new MeridianError("MALFORMED_MESSAGE", `Expected an http or https URL, got \`${url}\``);
}
