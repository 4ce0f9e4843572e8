/** Functions and methods whose results are cached. */
import { MeridianError } from "@meridian/protocol";

import type { FillOptions } from "./fill/fill-options.ts";
import { stableJsonOf } from "./json-value.ts";

/** The options of `wrap`. */
export interface WrapOptions<Args extends unknown[]> extends FillOptions {
  /** Makes the rest of the key from the arguments. Default: their JSON, the members of objects in order. */
  readonly key?: ((...args: Args) => string) | undefined;
}

/** The options of `cached`. */
export interface CachedOptions<This, Args extends unknown[]> extends FillOptions {
  /** The prefix of the keys. Default: the names of class and method; give a name if the code is minified. */
  readonly name?: string | undefined;
  /** Makes the rest of the key from the arguments; `this` is the object. Default: the JSON of the arguments. */
  readonly key?: ((this: This, ...args: Args) => string) | undefined;
}

/** A client or a namespace. */
interface Filled {
  getOrSet(key: string, load: () => never, options?: FillOptions): Promise<unknown>;
}

/** The key of a call. Throws `INVALID_KEY` if the key function does not return text. */
export function keyOfCall<Args extends unknown[]>(
  name: string,
  args: Args,
  key: ((...args: Args) => string) | undefined,
): string {
  if (key === undefined) return args.length === 0 ? name : `${name}:${stableJsonOf(args)}`;
  const rest: unknown = key(...args);
  if (typeof rest === "string") return `${name}:${rest}`;
  throw new MeridianError(
    "INVALID_KEY",
    `Expected text from the \`key\` function of \`${name}\`, got ${rest instanceof Promise ? "a promise" : `\`${String(rest)}\``}`,
  );
}

/**
 * A standard decorator of methods: the results of the method are stored in `cache`, under a key made of its arguments. The decorated method
 * returns a promise.
 *
 *     class Users {
 *       @cached(cache, { ttl: "15m" })
 *       async find(id: string): Promise<User> { … }
 *     }
 */
export function cached<This, Args extends unknown[], Result>(
  cache: Filled,
  options: CachedOptions<This, Args> = {},
): (
  method: (this: This, ...args: Args) => Promise<Result>,
  context: ClassMethodDecoratorContext<This, (this: This, ...args: Args) => Promise<Result>>,
) => (this: This, ...args: Args) => Promise<Result> {
  const { name, key, ...fill } = options;
  return (method, context) => {
    if (context?.kind !== "method") {
      const said =
        "Expected `@cached` on a method, by the standard of decorators, got something else";
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    const own = String(context.name);
    return async function (this: This, ...args: Args): Promise<Result> {
      const whole = keyOfCall(
        name ?? `${ownerOf(this)}.${own}`,
        args,
        key && ((...rest: Args) => key.call(this, ...rest)),
      );
      const load = (): Promise<Result> => method.apply(this, args);
      return cache.getOrSet(whole, load as () => never, fill) as Promise<Result>;
    };
  };
}

/** The name of the class of an object, or of a class itself. */
function ownerOf(object: unknown): string {
  if (typeof object === "function") return object.name;
  return (object as object | undefined)?.constructor?.name ?? "";
}
