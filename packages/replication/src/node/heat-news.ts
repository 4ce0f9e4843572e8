import { HEAT, type KeyHeat, type Welcome } from "@meridian/protocol";

import type { ReplicaLink } from "../link/replica-link.ts";
import type { NodeLinkMessage } from "../link/link-messages.ts";
import type { NodeContext } from "./node-context.ts";

/** Tells the directory which keys are used on this node, and hears which are used on others, where both parties have the feature. */
export class HeatNews {
  readonly #context: Pick<NodeContext, "time" | "onHeat">;
  readonly #link: Pick<ReplicaLink<NodeLinkMessage>, "send">;
  #isAgreed = false;

  constructor(
    context: Pick<NodeContext, "time" | "onHeat">,
    link: Pick<ReplicaLink<NodeLinkMessage>, "send">,
  ) {
    this.#context = context;
    this.#link = link;
  }

  welcome({ features }: Pick<Welcome, "features">): void {
    this.#isAgreed = this.#context.onHeat !== undefined && features.includes(HEAT);
  }

  /** The link is gone. */
  down(): void {
    this.#isAgreed = false;
  }

  /** Tells the directory what `news` returns, if the directory wants to know. Returns how many keys were told. */
  tell(news: () => KeyHeat[]): number {
    const keys = this.#isAgreed ? news() : [];
    if (keys.length === 0) return 0;
    this.#link.send({ type: "heat", nowMs: this.#context.time.ownMs(), keys });
    return keys.length;
  }

  hear(keys: readonly KeyHeat[]): void {
    if (this.#isAgreed) this.#context.onHeat?.(keys);
  }
}
