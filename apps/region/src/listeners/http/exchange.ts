import { Exchange, type AnswerStyle, type Carrier } from "@meridian/http";

import type { RegionService } from "../../service/region-service.ts";
import { readSession } from "./arguments.ts";

/** One request to a node and the means to answer it. */
export class RegionExchange extends Exchange {
  readonly service: RegionService;

  constructor(service: RegionService, style: AnswerStyle, carrier: Carrier) {
    super(style, carrier);
    this.service = service;
  }

  /** Lets the request in by the rules of `RegionService.admit`; its session is in its headers. */
  async admit(stale: boolean = false): Promise<void> {
    await this.service.admit(readSession(this.header, stale));
  }

  /** Reads the body, within what all bodies together may take. Rejects with `VALUE_TOO_LARGE` beyond `bytesMax`. */
  body(bytesMax: number): Promise<Uint8Array> {
    return this.readBody(bytesMax, this.service.bodies);
  }
}
