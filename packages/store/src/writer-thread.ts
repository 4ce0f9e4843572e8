import { parentPort } from "node:worker_threads";
import { systemClock } from "@meridian/runtime";
import { runSnapshot, type SnapshotOrder } from "./backup/snapshot-thread.ts";
import { directoryJournal } from "./directory-journal.ts";
import { replicaJournal } from "./replica-journal.ts";
import { Writer } from "./writer.ts";
import type { WriterRequest } from "./writer-messages.ts";

const port = parentPort;
port?.once("message", (request: WriterRequest | SnapshotOrder) => {
  if ("order" in request) {
    void runSnapshot(port, request);
    return;
  }
  if (request.kind !== "open") throw new Error("The first request must be to open");
  const writer =
    request.store === "replica"
      ? new Writer(port, request, systemClock, replicaJournal)
      : new Writer(port, request, systemClock, (log) => directoryJournal(log, request.tuning));
  writer.start();
});
