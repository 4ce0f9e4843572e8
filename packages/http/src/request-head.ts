/** What the head of a request must not say, although the parser of node:http takes it. */
import type { IncomingMessage } from "node:http";

import { MeridianError } from "@meridian/protocol";

import type { HostPolicy } from "./hosts.ts";
import { isHost } from "./target.ts";

/** What is wrong with the head of a request; undefined for nothing. */
export function headError(
  { rawHeaders, httpVersionMinor }: IncomingMessage,
  policy: HostPolicy,
): MeridianError | undefined {
  let hosts = 0;
  let host = "";
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    // Comparing lengths first costs nothing, and this is looked at for every request.
    if (name.length === 4 && name.toLowerCase() === "host") {
      hosts += 1;
      host = rawHeaders[at + 1] ?? "";
    } else if (name.length === 17 && name.toLowerCase() === "transfer-encoding") {
      const coding = rawHeaders[at + 1] ?? "";
      if (coding.toLowerCase() !== "chunked") return codingError(coding);
    }
  }
  if (hosts === 1 ? isHost(host) : hosts === 0 && httpVersionMinor === 0) return policy.error(host);
  const said = hosts === 1 ? `\`${host.slice(0, 200)}\`` : `${hosts} of them`;
  return new MeridianError(
    "INVALID_ARGUMENT",
    `Expected one \`Host\`, a name or an address, got ${said}`,
  );
}

function codingError(coding: string): MeridianError {
  return new MeridianError(
    "NOT_IMPLEMENTED",
    `Expected a body as it is, or \`Transfer-Encoding: chunked\`, got \`${coding.slice(0, 100)}\``,
  );
}

/** Whether a body was announced. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers["content-length"];
  return (length !== undefined && length !== "0") || headers["transfer-encoding"] !== undefined;
}
