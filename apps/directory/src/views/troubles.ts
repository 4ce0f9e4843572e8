/** `/trouble`: the problems of the cluster. The directory finds them by asking all programs of the cluster, with the client's token. */
import {
  complaintsOf,
  DIRECTORY_SAYS,
  examine,
  NODE_SAYS,
  type Asked,
  type Asker,
  type DirectorySays,
  type ListedNode,
} from "@meridian/doctor";
import {
  askProgram,
  checkView,
  tokenFor,
  Turnstile,
  type Exchange,
  type JsonAnswer,
} from "@meridian/http";
import { asMeridianError } from "@meridian/protocol";
import { nodes as nodesSchema, type Described, type trouble } from "@meridian/protocol/http-api";
import type { Clock, Metrics } from "@meridian/runtime";
import type { GenericSchema } from "valibot";

import type { NodeViewsOptions } from "./node-views.ts";

/** How a cluster is examined. */
export interface TroublesOptions extends Pick<
  NodeViewsOptions,
  "trust" | "insecure" | "isPrivate"
> {
  /** The URL of this directory, which is not asked over the network. */
  readonly url: string;
  /** How this directory stands, and whom it lists. */
  own(): { readonly status: DirectorySays; readonly nodes: readonly ListedNode[] };
  readonly clock: Clock;
  readonly metrics: Metrics;
}

type Trouble = Described<typeof trouble>;

/** Examinations under way at once. */
const EXAMINED = { max: 4, perClientMax: 1 };

/** How long one program may take, and how long all of them, in milliseconds: who is not asked by then counts as silent. */
const ONE_MS = 2_000;
const ALL_MS = 10_000;

/** What one program is asked. */
interface Asking<Schema> {
  readonly url: string;
  /** Whether it may be one of this machine. */
  readonly isHere: boolean;
  readonly schema: Schema;
  readonly endMs: number;
}

/** Finds out what is wrong. */
export class Troubles {
  readonly #options: TroublesOptions;
  readonly #turnstile: Turnstile;
  /** The examinations under way, by whom they are made for. */
  readonly #running = new Map<string, Promise<Trouble>>();

  constructor(options: TroublesOptions) {
    this.#options = options;
    const what = "examinations of the cluster";
    this.#turnstile = new Turnstile({
      name: "examinations",
      what,
      metrics: options.metrics,
      ...EXAMINED,
    });
  }

  /** `GET /trouble`. Who asks again before it is answered gets the same answer: a page that was left and opened again, say. */
  async answer(exchange: Exchange): Promise<JsonAnswer<Trouble>> {
    exchange.query();
    const { client } = exchange;
    let running = this.#running.get(client);
    if (running === undefined) {
      const leave = this.#turnstile.enter(client);
      running = this.#examine(exchange).finally(() => {
        this.#running.delete(client);
        leave();
      });
      this.#running.set(client, running);
    }
    return exchange.json(200, await running);
  }

  async #examine(exchange: Exchange): Promise<Trouble> {
    const { url, clock } = this.#options;
    const checkup = await examine([url], this.#asker(exchange), clock.nowMs());
    const { nowMs, directories, nodes } = checkup;
    const complaints = complaintsOf(checkup);
    return { nowMs, directories: directories.length, nodes: nodes.length, complaints };
  }

  #asker(exchange: Exchange): Asker {
    const { url: own, clock } = this.#options;
    const { status, nodes } = this.#options.own();
    const endMs = clock.elapsedMs() + ALL_MS;
    const told = <Schema extends GenericSchema>(
      url: string,
      schema: Schema,
      isHere = true,
    ): Promise<Asked<Described<Schema>>> => this.#ask(exchange, { url, isHere, schema, endMs });
    return {
      directory: async (url) =>
        url === own
          ? { url, status, failure: undefined, expiresAtMs: undefined }
          : { ...(await told(`${url}/status`, DIRECTORY_SAYS)), url },
      nodes: async (url) =>
        url === own ? nodes : ((await told(`${url}/nodes`, nodesSchema)).status?.nodes ?? []),
      node: async ({ url }) => ({
        ...(await told(`${url}/status`, NODE_SAYS, this.#options.isPrivate)),
        url,
      }),
    };
  }

  async #ask<Schema extends GenericSchema>(
    exchange: Exchange,
    { url, isHere, schema, endMs }: Asking<Schema>,
  ): Promise<Asked<Described<Schema>>> {
    const { trust, insecure, clock } = this.#options;
    try {
      const { origin, pathname: target, host } = new URL(url);
      const who = `the program at \`${host}\``;
      const leftMs = Math.min(ONE_MS, endMs - clock.elapsedMs());
      if (leftMs <= 0) throw new Error("there was no time left to ask it");
      const headers = tokenFor(exchange, origin, insecure);
      const asked = { who, origin, trust: trust(), isHere, method: "GET", target, headers };
      const answer = await askProgram(asked, clock, leftMs);
      const status = JSON.parse(checkView(who, { answer: schema }, answer)) as Described<Schema>;
      return { url, status, failure: undefined, expiresAtMs: answer.expiresAtMs };
    } catch (cause) {
      const failure = cause instanceof Error ? cause.message : asMeridianError(cause).message;
      return { url, status: undefined, failure, expiresAtMs: undefined };
    }
  }
}
