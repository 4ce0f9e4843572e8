/**
 * A snapshot on a thread of its own, as the thread that starts it sees it, and as the one that takes it does.
 *
 * Nobody terminates that thread: where SQLite reports an error to a thread that is being terminated, its driver ends the whole process. Who
 * wants the snapshot to end sets a flag instead, which the thread reads between two steps.
 */
import type { MessagePort } from "node:worker_threads";

import { asMeridianError, MeridianError, type ErrorCode } from "@meridian/protocol";
import { systemClock } from "@meridian/runtime";

import { startWriterThread } from "../writer-client.ts";
import {
  takeSnapshot,
  type OnCopied,
  type SnapshotFacts,
  type SnapshotRequest,
} from "./snapshot.ts";

/** What the first message to the thread says when it is to take a snapshot. */
export interface SnapshotOrder extends SnapshotRequest {
  readonly order: "snapshot";
  /** A number of four bytes, which both threads see: not 0 once the snapshot is to end. */
  readonly ending: SharedArrayBuffer;
}

type SnapshotReply =
  | { readonly kind: "copied"; readonly copied: number; readonly of: number }
  | { readonly kind: "done"; readonly facts: SnapshotFacts }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

/** A snapshot that is being taken. */
export interface RunningSnapshot {
  readonly done: Promise<SnapshotFacts>;
  /** Ends it after the step that it is at. Resolves once nothing of it is left, neither thread nor file, unless it was done before. */
  stop(): Promise<void>;
}

/** Has another thread take a snapshot, as `takeSnapshot` does. */
export async function startSnapshot(
  request: SnapshotRequest,
  onCopied: OnCopied,
): Promise<RunningSnapshot> {
  const worker = await startWriterThread();
  const ending = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const exited = new Promise<void>((resolve) => {
    worker.on("exit", () => resolve());
  });
  const done = new Promise<SnapshotFacts>((resolve, reject) => {
    worker.on("message", (reply: SnapshotReply) => {
      if (reply.kind === "copied") onCopied(reply.copied, reply.of);
      else if (reply.kind === "done") resolve(reply.facts);
      else reject(new MeridianError(reply.code, reply.message));
    });
    worker.on("error", reject);
    void exited.then(() => reject(stopped()));
  });
  // Whoever has stopped it waits for nothing.
  done.catch(() => {});
  worker.postMessage({ order: "snapshot", ending, ...request } satisfies SnapshotOrder);
  return {
    done,
    stop: () => {
      Atomics.store(new Int32Array(ending), 0, 1);
      return exited;
    },
  };
}

function stopped(): MeridianError {
  return new MeridianError("STORE_FAILED", "The backup was stopped");
}

/** Takes the snapshot on this thread, and lets go of the port. */
export async function runSnapshot(
  port: MessagePort,
  { ending, ...request }: SnapshotOrder,
): Promise<void> {
  const say = (reply: SnapshotReply): void => port.postMessage(reply);
  const end = new Int32Array(ending);
  try {
    const facts = await takeSnapshot(request, systemClock, {
      onCopied: (copied, of) => say({ kind: "copied", copied, of }),
      onStep: () => {
        if (Atomics.load(end, 0) !== 0) throw stopped();
      },
    });
    say({ kind: "done", facts });
  } catch (cause) {
    const { code, message } = asMeridianError(cause);
    say({ kind: "failed", code, message });
  } finally {
    port.close();
  }
}
