import { HEAT, MeridianError, type DirectoryMessage, type KeyHeat } from "@meridian/protocol";

import type { HeatListener } from "./heat-sum.ts";
import type { SessionHost } from "./session-host.ts";

/** How long it takes at least from one telling to the next, in milliseconds; and so much longer for each node, because each costs a look at all keys. */
const TELL_MS = 1_000;
const TELL_MS_PER_NODE = 10;

/** What a `SessionHeat` needs of its session. */
interface HeatedSession {
  readonly id: string;
  readonly hasRoom: boolean;
  /** Whether its peer is a node with which that feature was agreed on. */
  nodeHas(feature: string): boolean;
  send(message: DirectoryMessage): void;
}

/** Takes in which keys are used on the node of a session, and tells it which are used on others, if the node has the feature. */
export class SessionHeat implements HeatListener {
  readonly #host: Pick<SessionHost, "heat" | "clock" | "membership">;
  readonly #session: HeatedSession;
  heatTurn = 0;
  #toldAtMs = -Infinity;

  constructor(host: Pick<SessionHost, "heat" | "clock" | "membership">, session: HeatedSession) {
    this.#host = host;
    this.#session = session;
  }

  get id(): string {
    return this.#session.id;
  }

  /** The node has said what is used on it. Throws `MALFORMED_MESSAGE` if it must not. */
  onHeat(keys: readonly KeyHeat[]): void {
    if (this.#session.nodeHas(HEAT)) return this.#host.heat.add(this.id, keys);
    throw new MeridianError("MALFORMED_MESSAGE", "Expected `heat` only where it was agreed on");
  }

  /** Tells the node what is newly used on others, if there is room on its link and it was not told a moment ago. */
  tell(): void {
    if (!this.#session.nodeHas(HEAT) || !this.#session.hasRoom) return;
    const { heat, clock, membership } = this.#host;
    const restMs = Math.max(TELL_MS, TELL_MS_PER_NODE * membership.size);
    if (clock.elapsedMs() - this.#toldAtMs < restMs) return;
    const keys = heat.newsFor(this);
    if (keys.length === 0) return;
    this.#toldAtMs = clock.elapsedMs();
    this.#session.send({ type: "heat-elsewhere", nowMs: clock.nowMs(), keys });
  }
}
