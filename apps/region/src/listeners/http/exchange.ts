import {
  Exchange,
  type AnswerStyle,
  type Carrier,
  type EventStreams,
  type HeaderList,
  type HeldBytes,
  type HistoryNews,
} from "@meridian/http";
import { parseTraceContext, type MeridianError } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import type { AckRequest } from "../../service/requests.ts";
import type { RegionService } from "../../service/region-service.ts";
import type { ServedNode } from "../listener.ts";
import { readAck, readDeadline, readSession } from "../api/arguments.ts";
import { nodeHeaders, timeHeaders } from "./answers.ts";
import type { BatchBodies } from "./batch-bodies.ts";
import type { DirectoryView } from "./directory-view.ts";
import type { Tickets } from "./tickets.ts";

/** A node as it is served over HTTP. */
export interface HttpNode extends ServedNode {
  readonly style: AnswerStyle;
  /** What the bodies of requests take that are being read. */
  readonly bodies: HeldBytes;
  readonly batches: BatchBodies;
  /** Answers that go on. */
  readonly streams: EventStreams;
  readonly history: HistoryNews;
  readonly tickets: Tickets;
  readonly directoryView: DirectoryView;
  readonly clock: Pick<Clock, "elapsedMs">;
  /** Where the console's files are; without it, there is no console. */
  readonly consoleFolder?: string | undefined;
}

const READS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/** One request to a node and the means to answer it. */
export class RegionExchange extends Exchange {
  readonly node: HttpNode;
  /** How many losses the node had had when the request came. */
  readonly #losses: number;

  constructor(node: HttpNode, carrier: Carrier, losses: number = node.service.admission.losses) {
    super(node.style, carrier);
    this.node = node;
    this.#losses = losses;
  }

  get service(): RegionService {
    return this.node.service;
  }

  /** Lets the request in by the rules of `RequestAdmission.admit`; its session is in its headers. */
  admit(stale: boolean = false): Promise<void> | undefined {
    return this.service.admission.admit(readSession(this.header, stale));
  }

  /** Until when what the request asks for may be done. Throws `DEADLINE_PASSED` if that is over already, and `INVALID_ARGUMENT`. */
  readDeadline(): number | undefined {
    const deadlineMs = readDeadline(this.header("meridian-deadline"));
    this.service.writes.checkDeadline(deadlineMs);
    return deadlineMs;
  }

  /** How a write is to be acknowledged, until when it may be made, and what it is a part of. Throws as `readDeadline` does. */
  readAck(
    ack: string | undefined,
    timeout: string | undefined,
    isScoped: boolean = false,
  ): AckRequest {
    const plain = readAck(ack, timeout, isScoped);
    const deadlineMs = this.readDeadline();
    const asked = deadlineMs === undefined ? plain : { ...plain, deadlineMs };
    const traceparent = this.header("traceparent");
    if (traceparent === undefined) return asked;
    const trace = parseTraceContext(traceparent, this.header("tracestate"));
    return trace === undefined ? asked : { ...asked, trace };
  }

  protected override styleHeaders(error?: MeridianError): HeaderList {
    const headers = nodeHeaders(this.service, error, this.#losses);
    // Who reads needs no time, and reads are answered by shorter ways, too.
    return READS.has(this.method) ? headers : [...headers, ...timeHeaders(this.service)];
  }

  /** Reads the body, within what all bodies together may take, unless it is there already. Throws or rejects with `VALUE_TOO_LARGE` beyond `bytesMax`. */
  body(bytesMax: number): Promise<Uint8Array> | Uint8Array {
    return this.readBody(bytesMax, this.node.bodies);
  }
}
