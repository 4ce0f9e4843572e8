/** One request to a program of the cluster. Any program may answer at its address, so the answer is bounded in time and in bytes, and redirections are not followed. */
import { request, type ClientRequest, type IncomingMessage } from "node:http";
import { request as secureRequest, type RequestOptions } from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

import { connectionFailure, MeridianError } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import { isOwnHost, lookUpElsewhere, saidOf } from "./own-addresses.ts";

/** The authorities that are trusted, and the certificate that is shown, over TLS. */
export type TlsTrust = Pick<RequestOptions, "ca" | "cert" | "key" | "minVersion">;

/** What is asked, and where. */
export interface ProgramRequest {
  /** Who is asked, for messages: "the node `paris`". */
  readonly who: string;
  /** The origin that a node has registered, or that of a directory that is followed. */
  readonly origin: string;
  readonly trust: TlsTrust;
  /** Whether a program of this machine is asked, too. */
  readonly isHere: boolean;
  readonly method: string;
  /** The path and query, percent-encoded. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

/** What was answered. */
export interface ProgramAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
  /** When the certificate expires that was shown, in milliseconds since the Unix epoch; undefined without TLS. */
  readonly expiresAtMs: number | undefined;
}

/** How long a whole answer may take, in milliseconds. */
export const DEADLINE_MS = 5_000;

/** How long it may be, in bytes. A value of 1 MiB is at most 2.2 MiB of JSON. */
const ANSWER_BYTES_MAX = 3 * 1024 * 1024;

/** Begins a request. No connection is shared with another one, and no proxy asked. Throws `NODE_UNREACHABLE` for an address that is not asked. */
export function begin(asked: ProgramRequest): ClientRequest {
  const { origin, trust, isHere, method, target, headers, body } = asked;
  const { hostname } = new URL(origin);
  if (!isHere && isOwnHost(hostname)) throw unreachable(asked, saidOf(`that is ${hostname}`));
  const elsewhere = isHere ? {} : { lookup: lookUpElsewhere };
  const options = { method, headers, agent: false as const, path: target, ...elsewhere };
  const sent = origin.startsWith("https:")
    ? secureRequest(origin, { ...options, ...trust })
    : request(origin, options);
  sent.end(body);
  return sent;
}

/** Sends a request and reads the answer. Rejects with `NODE_UNREACHABLE`, and with `NODE_ANSWER_INVALID` for one that is too long. */
export function askProgram(
  asked: ProgramRequest,
  clock: Pick<Clock, "after">,
  deadlineMs: number = DEADLINE_MS,
): Promise<ProgramAnswer> {
  return new Promise((resolve, reject) => {
    const sent = begin(asked);
    const end = (settle: () => void): void => {
      cancel();
      settle();
      sent.destroy();
    };
    const fail = (cause: unknown): void => end(() => reject(unreachable(asked, cause)));
    const cancel = clock.after(deadlineMs, () => fail(`no whole answer within ${deadlineMs} ms`));
    sent.on("error", fail);
    sent.on("response", (response: IncomingMessage) => {
      const expiresAtMs = expiryOf(response.socket);
      const chunks: Uint8Array[] = [];
      let bytes = 0;
      response.on("data", (chunk: Uint8Array) => {
        chunks.push(chunk);
        bytes += chunk.byteLength;
        if (bytes > ANSWER_BYTES_MAX) end(() => reject(tooLong(asked)));
      });
      response.on("error", fail);
      response.on("close", () => fail("the connection ended within the answer"));
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        const text = Buffer.concat(chunks).toString();
        const contentType = headers["content-type"] ?? "";
        end(() => resolve({ status, contentType, text, expiresAtMs }));
      });
    });
  });
}

/** When the certificate of the other end expires. */
function expiryOf(socket: Socket): number | undefined {
  return socket instanceof TLSSocket ? Date.parse(socket.getPeerCertificate().valid_to) : undefined;
}

/** The error of a program that has not answered. */
export function unreachable({ who, origin }: ProgramRequest, cause: unknown): MeridianError {
  const why = typeof cause === "string" ? cause : connectionFailure(cause).message;
  return new MeridianError(
    "NODE_UNREACHABLE",
    `Expected an answer of ${who} at ${origin}, got none: ${why.slice(0, 300)}`,
  );
}

function tooLong({ who }: ProgramRequest): MeridianError {
  return new MeridianError(
    "NODE_ANSWER_INVALID",
    `Expected at most ${ANSWER_BYTES_MAX} bytes of ${who}, got more`,
  );
}
