import { MeridianError } from "@meridian/protocol";

import type { Codec } from "./codecs/codec.ts";
import type { StandardSchema } from "./codecs/standard-schema.ts";
import { fillPlanOf, type FillOptions, type Loader } from "./fill/fill-options.ts";
import type { KeyspaceTerms } from "./keyspace.ts";
import { readSpanMs, refuseUnknown } from "./options.ts";
import { checkedKey, checkText } from "./requests.ts";
import { shapeOf } from "./shape-of.ts";

/** The options of `namespace` besides a codec and a schema. */
export interface NamespaceTerms<In = never, Out = unknown> {
  /** The default time to live: text with a unit. Default: for ever. */
  readonly ttl?: string | undefined;
  /** The same in milliseconds, instead of `ttl`. */
  readonly ttlMs?: number | undefined;
  /** The loader by which `get` and `getMany` load missing values. */
  readonly load?: Loader<In, Out> | undefined;
  /** The default options of `getOrSet`. */
  readonly fill?: FillOptions | undefined;
  /** `false`: the near cache of the client keeps none of these values. */
  readonly near?: false | undefined;
}

interface NamespaceOptions extends NamespaceTerms<unknown, never> {
  readonly codec?: Codec<never, unknown> | undefined;
  readonly schema?: StandardSchema | undefined;
}

const KNOWN: readonly string[] = ["ttl", "ttlMs", "load", "fill", "near", "codec", "schema"];

/** The keyspace of a namespace. Throws `INVALID_ARGUMENT`, `INVALID_KEY`, `INVALID_TTL` and `UNKNOWN_OPTION`. */
export function termsOfNamespace(
  name: string,
  options: NamespaceOptions,
): KeyspaceTerms<unknown, unknown> {
  refuseUnknown("`namespace`", options, KNOWN);
  if (options.near !== undefined && options.near !== false) {
    const said = `Expected \`near\` of a namespace to be \`false\`, got \`${String(options.near)}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  if (checkText("name", name, "INVALID_ARGUMENT") === "") {
    throw new MeridianError(
      "INVALID_ARGUMENT",
      "Expected a name for the namespace, got an empty one",
    );
  }
  return {
    prefix: checkedKey(`${name}:`),
    shape: shapeOf(options),
    ttlMs: readSpanMs("ttl", options.ttl, options.ttlMs),
    ...loadingOf(options),
  };
}

/** How a keyspace fills itself. */
export function loadingOf({
  load,
  fill,
}: {
  readonly load?: Loader<unknown, never> | undefined;
  readonly fill?: FillOptions | undefined;
}): Pick<KeyspaceTerms<unknown, unknown>, "load" | "fill"> {
  if (fill !== undefined) fillPlanOf("`fill`", fill);
  if (load !== undefined && typeof load !== "function") {
    const said = `Expected \`load\` to be a function, got \`${String(load)}\``;
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  return { load: load as Loader<unknown, unknown> | undefined, fill };
}
