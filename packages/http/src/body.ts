import type { IncomingMessage } from "node:http";

import { asMeridianError, MeridianError } from "@meridian/protocol";

/** What bodies may take that are being read, all together. */
export interface BodyBudget {
  /** Takes bytes, which are given back. Throws `OVERLOADED`, and takes nothing, if there are not so many left. */
  take(bytes: number): void;
  give(bytes: number): void;
}

/**
 * Reads the body of a request into bytes of its own: a slice of what the socket read would keep all of that
 * alive. Rejects with `VALUE_TOO_LARGE` as soon as more than `bytesMax` is declared or has come, and with
 * `INVALID_BODY` if the connection ends first. Rejects with `OVERLOADED` when all the bodies that are being read
 * have used up `budget`.
 */
export function readIncoming(
  incoming: IncomingMessage,
  bytesMax: number,
  budget: BodyBudget,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    checkDeclared(incoming.headers["content-length"], bytesMax);
    if (incoming.destroyed) throw cutShort();
    let chunks: Uint8Array[] = [];
    let length = 0;
    let taken = 0;
    const giveBack = (): void => {
      budget.give(taken);
      taken = 0;
      chunks = [];
    };
    const stop = (failure: MeridianError): void => {
      incoming.off("data", onData);
      incoming.pause();
      giveBack();
      reject(failure);
    };
    const onData = (chunk: Uint8Array): void => {
      length += chunk.byteLength;
      if (length > bytesMax) return stop(tooLarge(length, bytesMax));
      try {
        budget.take(chunk.byteLength);
      } catch (failure) {
        return stop(asMeridianError(failure));
      }
      taken += chunk.byteLength;
      chunks.push(chunk);
    };
    incoming.on("data", onData);
    incoming.on("end", () => {
      resolve(join(chunks, length));
      giveBack();
    });
    incoming.on("error", (cause: Error) => stop(cutShort(cause)));
    incoming.on("close", () => {
      giveBack();
      // A stream that has ended closes too; an error that nobody hears of would still cost its stack.
      if (!incoming.readableEnded) reject(cutShort());
    });
  });
}

/** Reads the body of a fetch request, by the rules of `readIncoming`. */
export async function readStream(
  request: Pick<Request, "headers" | "body">,
  bytesMax: number,
): Promise<Uint8Array> {
  checkDeclared(request.headers.get("content-length"), bytesMax);
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (request.body === null) return new Uint8Array();
  try {
    for await (const chunk of request.body) {
      chunks.push(chunk);
      length += chunk.byteLength;
      if (length > bytesMax) throw tooLarge(length, bytesMax);
    }
  } catch (cause) {
    throw cause instanceof MeridianError ? cause : cutShort(cause);
  }
  return join(chunks, length);
}

function checkDeclared(header: string | null | undefined, bytesMax: number): void {
  const length = Number(header ?? 0);
  if (length > bytesMax) throw tooLarge(length, bytesMax);
}

function tooLarge(length: number, bytesMax: number): MeridianError {
  return new MeridianError(
    "VALUE_TOO_LARGE",
    `Expected a body of at most ${bytesMax} bytes, got ${length} or more`,
    { details: { bytesMax } },
  );
}

function cutShort(cause?: unknown): MeridianError {
  const message = "Expected the whole body, got the end of the connection";
  return new MeridianError("INVALID_BODY", message, { cause });
}

function join(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}
