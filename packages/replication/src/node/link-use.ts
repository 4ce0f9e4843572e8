/**
 * What a node does with its link: whether it takes in what comes, and whether it says where it stands.
 *
 * A node whose disk accepts nothing of what the directory sends keeps the link, so that the others see the node and how far behind it is. Once the disk
 * accepts entries again, it makes a new link, which feeds it from its cursor. If the node stands in the log of the present link, at its cursor, it skips the
 * frames that come, and goes on sending its outbox, which may be what fills the disk. If it would first have to move to this log, or to reconcile with it,
 * it could not store the result: then it is a _visitor_.
 *
 * A node whose outbox gets new stamps before anything of it may be sent is a visitor, too. It makes a new link behind that.
 *
 * Invariant: a visitor stands in another log than the one at the other end of the link. So it takes in no frame, reports its status and no place, and hears
 * nothing that depends on the log.
 */
import type { ReplicaStore } from "@meridian/ports";
import type { MeridianError, Welcome } from "@meridian/protocol";

import type { LogPosition } from "../intake/log-position.ts";
import type { Home } from "./home.ts";

/** The codes with which a store fails while its disk is full. */
const DISK_CODES: ReadonlySet<string> = new Set([
  "STORE_FULL",
  "STORE_READ_ONLY",
  "STORE_FAILED",
  "OVERLOADED",
]);

/** Decides what a node does with its link. */
export class LinkUse {
  readonly #store: Pick<ReplicaStore, "stall" | "shortage">;
  readonly #position: Pick<LogPosition, "logId" | "epoch" | "isSettled">;
  readonly #home: Pick<Home, "hasArrived">;
  #mode: "takes-in" | "passes-over" | "visits" | "renews" = "takes-in";
  /** The log at the other end of the link. */
  #log: Pick<Welcome, "logId" | "epoch"> = { logId: 0, epoch: 0 };

  constructor(
    store: Pick<ReplicaStore, "stall" | "shortage">,
    position: Pick<LogPosition, "logId" | "epoch" | "isSettled">,
    home: Pick<Home, "hasArrived">,
  ) {
    this.#store = store;
    this.#position = position;
    this.#home = home;
  }

  /** Whether frames are taken in. */
  get takesIn(): boolean {
    return this.#mode === "takes-in";
  }

  /** Whether the node says nothing of where it stands, and hears nothing of the log at the other end. */
  get visits(): boolean {
    return this.#mode === "visits" || this.renews;
  }

  /** Whether the link lasts only until the outbox has its new stamps. */
  get renews(): boolean {
    return this.#mode === "renews";
  }

  /** Whether clients that write should be sent to another node. */
  get isFull(): boolean {
    return this.#isOfDisk || this.#store.shortage !== undefined;
  }

  /** Whether the disk takes entries again, so that a new link is worth making. */
  get mayResume(): boolean {
    return this.#isOfDisk && this.#store.stall === undefined;
  }

  get #isOfDisk(): boolean {
    return this.#mode === "passes-over" || this.#mode === "visits";
  }

  /** A directory takes the node in. */
  welcome({ logId, epoch, resume }: Welcome): void {
    this.#log = { logId, epoch };
    const stands = resume === "feed" && this.#stands;
    if (this.#store.stall === undefined) this.#mode = "takes-in";
    else this.#mode = stands ? "passes-over" : "visits";
  }

  /** A directory would take the node in, but its outbox gets new stamps first: `renew` begins that. */
  visitDuring(renew: () => void): void {
    this.#mode = "renews";
    renew();
  }

  /** An append failed. Returns whether the link is kept all the same; the node then passes over the frames that come. */
  lose({ code }: MeridianError): boolean {
    if (this.renews) return false;
    if (!this.takesIn) return DISK_CODES.has(code);
    const isOfDisk = DISK_CODES.has(code) && this.#store.stall !== undefined;
    if (!isOfDisk || !this.#stands) return false;
    this.#mode = "passes-over";
    return true;
  }

  /** The link is down. */
  down(): void {
    this.#mode = "takes-in";
  }

  /** Whether the cursor lies in the log of this link, so that the node would be fed from there if it greeted now. */
  get #stands(): boolean {
    const { logId, epoch, isSettled } = this.#position;
    const isHere = logId === this.#log.logId && epoch === this.#log.epoch;
    return isHere && isSettled && this.#home.hasArrived;
  }
}
