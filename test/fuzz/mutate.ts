/** Makes random inputs by changing known ones. A seed makes the same inputs again. */
import type { Random } from "@meridian/runtime";

/** Numbers at which readers of numbers go wrong. */
const BYTES: readonly number[] = [0, 1, 0x0a, 0x0d, 0x20, 0x22, 0x25, 0x2f, 0x7f, 0x80, 0xc0, 0xff];
const WORDS: readonly Buffer[] = [
  ..."null|true|{}|[]|-1|1e999|9007199254740993|\\ud800|\\u0000|%00|%ff|%2e%2e|__proto__|\ufeff".split(
    "|",
  ),
  "\r\n",
  "\r\n\r\n",
  "\0",
  "a".repeat(300),
  "[".repeat(300),
  '{"a":'.repeat(100),
].map((word) => Buffer.from(word));

function below(random: Random, bound: number): number {
  return Math.floor(random.next() * bound);
}

function pick<Value>(random: Random, values: readonly Value[]): Value {
  const value = values[below(random, values.length)];
  if (value === undefined) throw new Error("Expected something to pick from, got nothing");
  return value;
}

/** An input made of one of `pool`, and parts of the others, with one to eight changes. */
export function mutate(random: Random, pool: readonly Uint8Array[]): Buffer {
  let input: Buffer = Buffer.from(pick(random, pool));
  for (let left = 1 + below(random, 8); left > 0; left -= 1) input = change(random, input, pool);
  return input;
}

function change(random: Random, input: Buffer, pool: readonly Uint8Array[]): Buffer {
  const at = below(random, input.byteLength + 1);
  const end = Math.min(input.byteLength, at + 1 + below(random, 8));
  const spliced = (piece: Uint8Array, until = at): Buffer =>
    Buffer.concat([input.subarray(0, at), piece, input.subarray(until)]);
  switch (below(random, 7)) {
    case 0:
      return spliced(Buffer.of(pick(random, BYTES)), end);
    case 1:
      return spliced(Buffer.of(below(random, 256)), Math.min(input.byteLength, at + 1));
    case 2:
      return spliced(Buffer.alloc(0), end);
    case 3:
      return spliced(pick(random, WORDS), pick(random, [at, end]));
    case 4:
      return spliced(input.subarray(at, end));
    case 5: {
      const other = pick(random, pool);
      const from = below(random, other.byteLength + 1);
      return spliced(other.subarray(from, from + 1 + below(random, 40)), pick(random, [at, end]));
    }
    default:
      return input.subarray(0, at);
  }
}
