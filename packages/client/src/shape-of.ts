import { MeridianError } from "@meridian/protocol";

import type { Codec } from "./codecs/codec.ts";
import type { SchemaIssue, SchemaOutcome, StandardSchema } from "./codecs/standard-schema.ts";
import { ABSENT_TYPE, plainShape, type Given, type Shape } from "./shape.ts";
import { bytesOf } from "./values.ts";

/** What says how values are stored. */
export interface ShapeTerms {
  readonly codec?: Codec<never, unknown> | undefined;
  readonly schema?: StandardSchema | undefined;
}

/** The shape that a codec and a schema give to values. Throws `INVALID_ARGUMENT` for what is neither. */
export function shapeOf({ codec, schema }: ShapeTerms): Shape<unknown, unknown> {
  const coded = codec === undefined ? plainShape : codedShape(codec as Codec<unknown>);
  return schema === undefined ? coded : checkedShape(coded, schema);
}

function codedShape(codec: Codec<unknown>): Shape<unknown, unknown> {
  const { contentType } = codec;
  if (typeof codec.encode !== "function" || typeof codec.decode !== "function") {
    throw invalid("Expected a codec with `contentType`, `encode` and `decode`, got something else");
  }
  return {
    encode: (key, value, other) => {
      if (other !== undefined) throw invalid("Expected no `contentType` beside a codec, got one");
      try {
        return { bytes: codec.encode(value), contentType };
      } catch (cause) {
        throw invalid(
          `Expected a value for \`${key}\` that its codec holds, got ${wordsOf(cause)}`,
          cause,
        );
      }
    },
    decode: (key, received, shared) => {
      if (received.contentType === ABSENT_TYPE) return undefined;
      const bytes = bytesOf(received);
      try {
        // What the codec returns may be these bytes, which others are given too.
        const own = shared && bytes === received.bytes ? bytes.slice() : bytes;
        return codec.decode(own, received.contentType);
      } catch (cause) {
        throw misfit(key, "its codec reads", wordsOf(cause), cause);
      }
    },
  };
}

function checkedShape(
  shape: Shape<unknown, unknown>,
  schema: StandardSchema,
): Shape<unknown, unknown> {
  const standard = schema["~standard"];
  if (typeof standard?.validate !== "function") {
    throw invalid("Expected a schema by the Standard Schema (`~standard`), got something else");
  }
  return {
    encode: (key, value, contentType) =>
      then(standard.validate(value), (outcome) => {
        const wrong = wrongOf(outcome);
        if (wrong === undefined) return shape.encode(key, value, contentType);
        throw invalid(
          `Expected a value for \`${key}\` that its schema takes, got one of which it says: ${wrong}`,
        );
      }),
    decode: (key, received, shared) =>
      then(shape.decode(key, received, shared), (value) => {
        if (value === undefined) return undefined;
        return then(standard.validate(value), (outcome) => {
          const wrong = wrongOf(outcome);
          if (wrong === undefined) return outcome.value;
          throw misfit(key, "its schema takes", `one of which that says: ${wrong}`);
        });
      }),
  };
}

/** At once where that is possible. */
function then<Value, Result>(
  given: Given<Value>,
  use: (value: Value) => Given<Result>,
): Given<Result> {
  return given instanceof Promise ? given.then(use) : use(given);
}

function wrongOf({ issues }: SchemaOutcome<unknown>): string | undefined {
  const [issue] = issues ?? [];
  return issue === undefined ? undefined : `${issue.message}${placeOf(issue)}`;
}

function placeOf({ path = [] }: SchemaIssue): string {
  const names = path.map((part) => String(typeof part === "object" ? part.key : part));
  return names.length === 0 ? "" : ` (at \`${names.join(".")}\`)`;
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function invalid(message: string, cause?: unknown): MeridianError {
  return new MeridianError("INVALID_ARGUMENT", message, { cause });
}

function misfit(key: string, whom: string, got: string, cause?: unknown): MeridianError {
  const said = `Expected the value of \`${key}\` to be what ${whom}, got ${got}; it stays, and \`getRaw\` gives its bytes`;
  return new MeridianError("INVALID_BODY", said, { details: { key }, cause });
}
