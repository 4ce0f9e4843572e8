/** The interface of a cache handler of Next.js, as far as this package uses it. */

/** For how many seconds Next.js takes an entry for fresh, and for how many it may use it. */
export interface CacheControl {
  readonly revalidate: number | false;
  readonly expire?: number | undefined;
}

/** What Next.js stores: a page, the answer of a route, an image or that of a `fetch`. */
export interface CachedData {
  readonly kind: string;
  readonly headers?: Readonly<Record<string, unknown>> | undefined;
  readonly tags?: readonly string[] | undefined;
}

/** What Next.js gives to a handler that it makes, once per request. */
export interface HandlerContext {
  /** Tags that the request itself has revalidated. */
  readonly revalidatedTags?: readonly string[] | undefined;
}

/** What Next.js says when it asks for an entry. */
export interface GetContext {
  readonly kind?: string | undefined;
  readonly tags?: readonly string[] | undefined;
  /** Tags of the path for which a `fetch` is. */
  readonly softTags?: readonly string[] | undefined;
}

/** What Next.js says when it sets an entry. */
export interface SetContext {
  readonly tags?: readonly string[] | undefined;
  readonly cacheControl?: CacheControl | undefined;
}

/** An entry, as Next.js takes it. */
export interface CacheHandlerValue {
  /** When it was set, in milliseconds since the Unix epoch. */
  readonly lastModified: number;
  readonly value: CachedData | null;
  readonly cacheControl?: CacheControl;
}

/** A cache handler of Next.js. */
export interface CacheHandler {
  get(key: string, context?: GetContext): Promise<CacheHandlerValue | null>;
  set(key: string, data: CachedData | null, context?: SetContext): Promise<void>;
  revalidateTag(
    tags: string | readonly string[],
    durations?: { readonly expire?: number | undefined },
  ): Promise<void>;
  resetRequestCache(): void;
}
