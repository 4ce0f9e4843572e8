import type { IncomingMessage } from "node:http";

import { asMeridianError, joinBytes, MeridianError } from "@meridian/protocol";

import type { HeldBytes, Holder } from "./held-bytes.ts";

/**
 * Reads the body of a request into bytes of its own: a slice of what the socket read would keep all of that
 * alive. Rejects with `VALUE_TOO_LARGE` as soon as more than `bytesMax` is declared or has come, and with
 * `INVALID_BODY` if the connection ends first. Rejects with `OVERLOADED` when all the bodies that are being read
 * have used up `bodies`, and this one moves least.
 */
export function readIncoming(
  incoming: IncomingMessage,
  bytesMax: number,
  bodies: HeldBytes,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const declared = checkDeclared(incoming.headers["content-length"], bytesMax);
    if (incoming.destroyed) throw cutShort();
    new Reading({ incoming, declared, bytesMax, bodies }, resolve, reject);
  });
}

/** The client whose body is read. */
interface Wanted {
  readonly incoming: IncomingMessage;
  /** The declared length, in bytes; 0 if none is declared. */
  readonly declared: number;
  readonly bytesMax: number;
  readonly bodies: HeldBytes;
}

/**
 * A body that is being read. Once it is read, nothing of it hangs on the request: that lives as long as its connection, which may stay open for
 * minutes behind the answer.
 */
class Reading implements Holder {
  readonly #wanted: Wanted;
  readonly #resolve: (bytes: Uint8Array) => void;
  readonly #reject: (failure: MeridianError) => void;
  #chunks: Uint8Array[] = [];
  heldBytes = 0;
  movedBytes = 0;

  constructor(
    wanted: Wanted,
    resolve: (bytes: Uint8Array) => void,
    reject: (failure: MeridianError) => void,
  ) {
    const { incoming } = wanted;
    this.#wanted = wanted;
    this.#resolve = resolve;
    this.#reject = reject;
    incoming.on("data", this.#onData);
    incoming.on("end", this.#onEnd);
    incoming.on("error", this.#onError);
    incoming.on("close", this.#onClose);
  }

  cut(failure: MeridianError): void {
    this.#wanted.incoming.pause();
    this.#letGo();
    this.#reject(failure);
  }

  readonly #onData = (chunk: Uint8Array): void => {
    const { byteLength } = chunk;
    const { declared, bytesMax, bodies } = this.#wanted;
    this.movedBytes += byteLength;
    if (this.movedBytes > bytesMax) return this.cut(tooLarge(this.movedBytes, bytesMax));
    // A body that has come whole does not wait for others.
    if (byteLength === declared) {
      this.#chunks.push(chunk);
      return;
    }
    try {
      if (this.heldBytes === 0) bodies.add(this);
      bodies.admit(byteLength, this);
    } catch (failure) {
      return this.cut(asMeridianError(failure));
    }
    this.heldBytes += byteLength;
    this.#chunks.push(chunk);
  };

  readonly #onEnd = (): void => {
    const bytes = joinBytes(this.#chunks);
    this.#letGo();
    this.#resolve(bytes);
  };

  readonly #onError = (cause: Error): void => this.cut(cutShort(cause));

  readonly #onClose = (): void => this.cut(cutShort());

  #letGo(): void {
    const { incoming, bodies } = this.#wanted;
    incoming.off("data", this.#onData);
    incoming.off("end", this.#onEnd);
    incoming.off("error", this.#onError);
    incoming.off("close", this.#onClose);
    bodies.remove(this);
    this.heldBytes = 0;
    this.#chunks = [];
  }
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
  return joinBytes(chunks);
}

/** Returns the length that a request declares, in bytes; 0 for none. Throws `VALUE_TOO_LARGE` beyond `bytesMax`. */
export function checkDeclared(header: string | null | undefined, bytesMax: number): number {
  const length = Number(header ?? 0);
  if (length > bytesMax) throw tooLarge(length, bytesMax);
  return length;
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
