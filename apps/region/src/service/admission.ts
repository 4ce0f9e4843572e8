/** Decides which requests a node serves now, and makes the position token of an answer. */
import { formatPosition, MeridianError, type Position } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";

import type { OtherNode, SessionNeeds } from "./requests.ts";
import type { WriteGate } from "./write-gate.ts";

/** The parts of a node by which requests are admitted. */
export interface RequestAdmissionOptions {
  readonly nodeId: string;
  readonly replica: Replica;
  readonly gate: WriteGate;
}

/** Lets requests in. */
export class RequestAdmission {
  readonly #options: RequestAdmissionOptions;
  /** The damage of the database because of which this node serves no client; undefined without damage. */
  #damage: MeridianError | undefined;
  #draining = false;
  #token = "";
  #tokenOf: Position = { logId: 0, epoch: 0, sequence: -1, incarnation: 0, outboxPosition: 0 };

  constructor(options: RequestAdmissionOptions) {
    this.#options = options;
  }

  /** Whether requests are served now without asking for stale data. */
  get serving(): boolean {
    if (this.#draining || this.#damage !== undefined) return false;
    const { status } = this.#options.replica;
    return status === "ready" || status === "standalone" || status === "full";
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** The damage of the database because of which this node serves no client; undefined without damage. */
  get damage(): MeridianError | undefined {
    return this.#damage;
  }

  /** The database is damaged, and it is unknown how much of it. From now on no request is admitted. */
  fail(damage: MeridianError): void {
    this.#damage ??= damage;
  }

  /** From now on no new request is admitted. Requests under way go on. */
  drain(): void {
    this.#draining = true;
  }

  /**
   * Lets a request in: at once, or when the promise resolves, once this node has reached its session's position. Throws `NODE_SYNCING` and
   * `NODE_DRAINING` with the nodes to ask instead; rejects with `POSITION_NOT_REACHED`.
   */
  admit({ position, waitMs, stale }: SessionNeeds): Promise<void> | undefined {
    this.checkServing(stale);
    return position === undefined ? undefined : this.#reach(position, waitMs);
  }

  async #reach(position: Position, waitMs: number): Promise<void> {
    if (await this.#options.replica.reach(position, waitMs)) return;
    throw new MeridianError(
      "POSITION_NOT_REACHED",
      `Expected to reach position \`${formatPosition(position)}\` within ${waitMs} ms, got to \`${this.positionToken()}\``,
      { details: { waitMs } },
    );
  }

  /** Whether this node has reached a session's position already. */
  hasReached(position: Position): boolean {
    return this.#options.replica.hasReached(position);
  }

  /** Throws `NODE_SYNCING` or `NODE_DRAINING` unless requests are served now. */
  checkServing(stale: boolean): void {
    if (this.serving) return;
    const { nodeId, replica } = this.#options;
    if (this.#damage !== undefined) {
      throw new MeridianError(
        "NODE_DRAINING",
        `The database of node \`${nodeId}\` is damaged; ask one of \`alternatives\``,
        { details: { alternatives: this.otherReady(), damage: this.#damage.message } },
      );
    }
    const { status } = replica;
    const draining = this.#draining || status === "draining";
    if (stale && !draining) return;
    throw new MeridianError(
      draining ? "NODE_DRAINING" : "NODE_SYNCING",
      draining
        ? `Node \`${nodeId}\` is shutting down; ask one of \`alternatives\``
        : `Node \`${nodeId}\` is \`${status}\`; ask one of \`alternatives\`, or again in a moment`,
      { details: { alternatives: this.otherReady() } },
    );
  }

  /** Throws unless clients should be sent to this node. `/readyz` answers with this. */
  checkReady(): void {
    const { nodeId, replica, gate } = this.#options;
    this.checkServing(false);
    gate.checkRoom();
    const { refusal } = replica.link;
    if (refusal === undefined) return gate.check();
    throw new MeridianError(
      "NODE_REFUSED",
      `The directory refuses node \`${nodeId}\`, which serves alone: ${refusal.message}`,
      { details: { refusal: refusal.code, alternatives: this.otherReady() } },
    );
  }

  /** How often the disk has refused entries that clients may have seen: to be given to `positionToken`. */
  get losses(): number {
    return this.#options.replica.losses;
  }

  /** The position token of everything that a client has seen that is answered now, and whose request came when there had been `losses` losses. Default: as many as now. */
  positionToken(losses?: number): string {
    const position = this.#options.replica.position(losses);
    const known = this.#tokenOf;
    if (
      position.sequence !== known.sequence ||
      position.outboxPosition !== known.outboxPosition ||
      position.logId !== known.logId ||
      position.epoch !== known.epoch ||
      position.incarnation !== known.incarnation ||
      position.early !== known.early
    ) {
      this.#tokenOf = position;
      this.#token = formatPosition(position);
    }
    return this.#token;
  }

  /** The other nodes that are ready, as the directory last told. */
  otherReady(): readonly OtherNode[] {
    const { nodeId, replica } = this.#options;
    return replica.members
      .filter(({ id, status }) => id !== nodeId && status === "ready")
      .map(({ id, url }) => ({ id, url }));
  }
}
