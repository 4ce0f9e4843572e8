/** The bodies of batches: parsed an item at a time, and few of them at once. */
import { decodeUtf8, MeridianError } from "@meridian/protocol";
import type { Metrics } from "@meridian/runtime";

import { ByteBudget } from "../../service/byte-budget.ts";
import { OneAtATime } from "../../service/one-at-a-time.ts";
import { Steps } from "../../service/steps.ts";
import { listOf, objectOf, type JsonObject } from "../api/json-members.ts";
import { piecesOf, type JsonPieces } from "./json-pieces.ts";

/** Bodies of at most this many bytes do not wait behind longer ones. */
const SMALL_BYTES = 64 * 1024;

/** A body is an object with a list of objects, each of which has a few members. */
const DEPTH_MAX = 16;
const PARTS_PER_ITEM = 10;

/** The shape of a batch body. */
export interface BatchShape<Item> {
  /** The member that is a list of 1 to `itemsMax` items. */
  readonly list: string;
  readonly itemsMax: number;
  /** The other members that it may have. */
  readonly others: readonly string[];
  /** Makes an item of what stands in the list. */
  readonly itemOf: (json: unknown) => Item;
}

/** A body that has been read. In `body`, numbers take the place of the items. */
export interface Batch<Item> {
  readonly body: JsonObject;
  readonly items: readonly Item[];
}

/** Reads bodies in steps, in the order in which they come. */
export class BatchBodies {
  readonly #held: ByteBudget;
  readonly #small = new Queue();
  readonly #large = new Queue();

  /** `bytesMax` is what all bodies may take together that wait to be read. */
  constructor(metrics: Metrics, bytesMax: number) {
    const what = "batches that wait to be taken apart";
    this.#held = new ByteBudget(metrics, "batchBytes", what, bytesMax);
  }

  /**
   * Reads a body, makes of each item what `itemOf` does, and resolves to what `use` makes of them; until then the body counts as held.
   * Rejects with `INVALID_BODY`, `INVALID_ARGUMENT`, what `itemOf` and `use` throw, and `OVERLOADED` if too many bytes wait already.
   */
  async read<Item, Result>(
    bytes: Uint8Array,
    shape: BatchShape<Item>,
    use: (batch: Batch<Item>) => Result | Promise<Result>,
  ): Promise<Result> {
    const { byteLength } = bytes;
    const queue = byteLength <= SMALL_BYTES ? this.#small : this.#large;
    this.#held.take(byteLength);
    try {
      return await use(await queue.run((steps) => readBatch(bytes, shape, steps)));
    } finally {
      this.#held.give(byteLength);
    }
  }
}

/** A queue of bodies that are read one after the other. */
class Queue {
  readonly #work = new OneAtATime();
  /** Shared, for many small bodies make a long turn, too. */
  readonly #steps = new Steps();

  run<T>(work: (steps: Steps) => Promise<T>): Promise<T> {
    return this.#work.run(() => {
      this.#steps.begin();
      return work(this.#steps);
    });
  }
}

async function readBatch<Item>(
  bytes: Uint8Array,
  { list, itemsMax, others, itemOf }: BatchShape<Item>,
  steps: Steps,
): Promise<Batch<Item>> {
  const { outline, elements } = await cut(bytes, itemsMax * PARTS_PER_ITEM, steps);
  const body = objectOf(parse(outline), "the body", [list, ...others]);
  const items: Item[] = [];
  for (const number of listOf(body, list, itemsMax)) {
    const element = elements[Number(number)] ?? outline;
    items.push(itemOf(parse(element)));
    await steps.spend(element.byteLength);
  }
  return { body, items };
}

async function cut(bytes: Uint8Array, partsMax: number, steps: Steps): Promise<JsonPieces> {
  const json = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pieces = piecesOf(json, { depthMax: DEPTH_MAX, partsMax });
  for (;;) {
    const { done, value } = pieces.next();
    if (done === true) return value;
    await steps.spend(value);
  }
}

function parse(json: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(json)) as unknown;
  } catch (cause) {
    const said = "Expected JSON in UTF-8, got something else";
    throw new MeridianError("INVALID_BODY", said, { cause });
  }
}
