import { parentPort } from "node:worker_threads";
import { systemClock } from "@meridian/runtime";
import { Writer } from "./writer.ts";
import type { WriterRequest } from "./writer-messages.ts";

const port = parentPort;
port?.once("message", (request: WriterRequest) => {
  if (request.kind !== "open") throw new Error("The first request must be to open");
  new Writer(port, request, systemClock).start();
});
