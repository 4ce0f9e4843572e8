/** A snapshot on a thread of its own, as the thread that starts it sees it, and as the one that takes it does. */
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
}

type SnapshotReply =
  | { readonly kind: "copied"; readonly copied: number; readonly of: number }
  | { readonly kind: "done"; readonly facts: SnapshotFacts }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string };

/** A snapshot that is being taken. */
export interface RunningSnapshot {
  readonly done: Promise<SnapshotFacts>;
  /** Ends it at once; what was written of it stays. */
  stop(): Promise<void>;
}

/** Has another thread take a snapshot, as `takeSnapshot` does. */
export async function startSnapshot(
  request: SnapshotRequest,
  onCopied: OnCopied,
): Promise<RunningSnapshot> {
  const worker = await startWriterThread();
  const done = new Promise<SnapshotFacts>((resolve, reject) => {
    worker.on("message", (reply: SnapshotReply) => {
      if (reply.kind === "copied") return onCopied(reply.copied, reply.of);
      if (reply.kind === "done") resolve(reply.facts);
      else reject(new MeridianError(reply.code, reply.message));
      void worker.terminate();
    });
    worker.on("error", reject);
    worker.on("exit", () => reject(new MeridianError("STORE_FAILED", "The backup was stopped")));
  });
  // Whoever has stopped it waits for nothing.
  done.catch(() => {});
  worker.postMessage({ order: "snapshot", ...request } satisfies SnapshotOrder);
  return {
    done,
    stop: async () => {
      await worker.terminate();
    },
  };
}

/** Takes the snapshot on this thread. */
export async function runSnapshot(port: MessagePort, request: SnapshotRequest): Promise<void> {
  const say = (reply: SnapshotReply): void => port.postMessage(reply);
  try {
    const facts = await takeSnapshot(request, systemClock, (copied, of) =>
      say({ kind: "copied", copied, of }),
    );
    say({ kind: "done", facts });
  } catch (cause) {
    const { code, message } = asMeridianError(cause);
    say({ kind: "failed", code, message });
  }
}
