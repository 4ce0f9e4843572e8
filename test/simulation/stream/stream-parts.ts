import type { LogStream } from "@meridian/log-jetstream/source/log-stream";
import type { StreamRules } from "@meridian/log-jetstream/source/rules";

import type { Nats } from "./nats.ts";
import type { PlacedDisk, PlacedLog } from "./placed-log.ts";

/** The replaceable parts of a log in a stream. */
export interface StreamParts {
  /** Rules of the log that are switched off. */
  readonly rules?: Partial<StreamRules>;
  /** Changes the servers. */
  nats?(nats: Nats): void;
  /** What a process has in the place of its connection to the stream. `state` tells how it stands. */
  connection?(stream: LogStream, state: () => ProcessState): LogStream;
  /** Through where a directory that does not write believes the log to be durable, instead of what the writer has said. */
  committed?(through: number): number;
  /** Changes a database that was opened. */
  opened?(log: PlacedLog): void;
}

/** How a process stands. */
export interface ProcessState {
  readonly isWriter: boolean;
  readonly database: PlacedDisk;
}
