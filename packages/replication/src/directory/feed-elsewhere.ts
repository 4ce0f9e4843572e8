import type { FeedStart } from "@meridian/ports";

import type { Sequencer } from "../order/sequencer.ts";
import type { NodeFeed } from "./feed.ts";

/** Stands for the feed of a node that another directory feeds: what is ordered here may have reached the node by that way. */
export class FeedElsewhere implements NodeFeed {
  readonly #sequencer: Pick<Sequencer, "head">;
  readonly #after: number;

  /** Says from where on the other directory is to feed the node. */
  constructor(
    sequencer: Pick<Sequencer, "head">,
    start: FeedStart,
    feed: (start: FeedStart) => void,
  ) {
    this.#sequencer = sequencer;
    this.#after = start.after;
    feed(start);
  }

  get sentThrough(): number {
    return Math.max(this.#after, this.#sequencer.head);
  }

  push(): void {}

  pump(): void {}

  tell(): void {}
}
