/** How long clients may take, in milliseconds. */
export interface HttpTimeouts {
  readonly keepAliveTimeout: number;
  /** For the head of a request, from the connection on if it is the first. */
  readonly headersTimeout: number;
  /** For all of it. */
  readonly requestTimeout: number;
  /** How often that is looked at. */
  readonly connectionsCheckingInterval: number;
}

/**
 * How long clients may take. A connection that is idle between two requests is kept for longer than common proxies and
 * clients keep it, so that it is they who close it.
 */
export const HTTP_TIMEOUTS: HttpTimeouts = {
  keepAliveTimeout: 65_000,
  headersTimeout: 10_000,
  requestTimeout: 120_000,
  connectionsCheckingInterval: 1_000,
};
