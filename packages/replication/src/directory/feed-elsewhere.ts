import type { FeedStart } from "@meridian/ports";

import type { Sequencer } from "../order/sequencer.ts";
import type { NodeFeed } from "./feed.ts";

/**
 * Stands for the feed of a node that another directory feeds. That one sends what the stream has, and the stream has it before this directory hears so. So all that is
 * ordered here may have reached the node, also what goes out to the nodes of this directory only once it is durable.
 */
export class FeedElsewhere implements NodeFeed {
  readonly #sequencer: Pick<Sequencer, "ordered">;
  readonly #after: number;

  /** Says from where on the other directory is to feed the node. */
  constructor(
    sequencer: Pick<Sequencer, "ordered">,
    start: FeedStart,
    feed: (start: FeedStart) => void,
  ) {
    this.#sequencer = sequencer;
    this.#after = start.after;
    feed(start);
  }

  get sentThrough(): number {
    return Math.max(this.#after, this.#sequencer.ordered);
  }

  push(): void {}

  pump(): void {}

  tell(): void {}
}
