/** Runs a crowd in a process of its own, so that its work does not delay the requests that observe the attacked program. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

import { LINK_MANNERS } from "./link-manners.ts";
import { SOCKET_MANNERS } from "./socket-manners.ts";
import { Crowd, MANNERS, type Attackers } from "./manners.ts";

const CUT_EVERY_MS = 100;

const TABLES = { requests: MANNERS, links: LINK_MANNERS, sockets: SOCKET_MANNERS } as const;

/** What is attacked: routes, links of nodes, or WebSockets of clients. */
export type MannerTable = keyof typeof TABLES;

/** How a crowd attacks. */
export interface Orders {
  readonly url: string;
  /** The name of the attack, and of the table that it is in. */
  readonly manner: string;
  readonly table: MannerTable;
  readonly bytes: Buffer;
  readonly clients: number;
}

/** Clients that all behave in one way, in another process. */
export class CrowdProcess implements Attackers {
  readonly #child: ChildProcess;
  cut = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (cut) => (this.cut = Number(cut)));
    child.on("error", () => {});
  }

  /** Resolves once it attacks. */
  static async start(orders: Orders): Promise<CrowdProcess> {
    const child = fork(fileURLToPath(import.meta.url), { serialization: "advanced" });
    child.send(orders);
    await once(child, "message");
    return new CrowdProcess(child);
  }

  leave(): void {
    this.#child.kill("SIGKILL");
  }
}

function obey({ url, manner, table, bytes, clients }: Orders): void {
  const behave = TABLES[table][manner];
  if (behave === undefined) throw new Error(`Expected the name of a manner, got ${manner}`);
  const crowd = new Crowd(url, behave, [Buffer.from(bytes)], clients);
  setInterval(() => process.send?.(crowd.cut), CUT_EVERY_MS);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once("message", (orders) => obey(orders as Orders));
  process.once("disconnect", () => process.exit());
}
