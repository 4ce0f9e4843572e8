import { deletePrefix, type MeridianClient, type Namespace } from "@meridian/client";

/** The options of a store. */
export interface MeridianStoreOptions {
  readonly client: MeridianClient;
  /** In the cluster, the key of a session is this, a colon and the id. Default `sess`. */
  readonly prefix?: string | undefined;
  /** How long a session lives whose cookie has no `maxAge`, as text with a unit. Default `1d`. */
  readonly ttl?: string | undefined;
}

/** What the store reads of a session. */
export interface SessionLike {
  readonly cookie: { readonly maxAge?: unknown; readonly originalMaxAge?: unknown };
}

/** A session as it was stored. */
export type StoredSession = Record<string, unknown> & {
  readonly cookie: Record<string, unknown> & {
    readonly originalMaxAge: number | null;
    readonly expires?: string | null;
  };
};

/** Called once it is done: with an error, or with null and the result. */
export type Done<Result = void> = (error: unknown, result?: Result) => void;

/** What this store adds to the `Store` of express-session. */
export interface MeridianStore {
  get(sid: string, done: Done<StoredSession | null>): void;
  set(sid: string, session: SessionLike, done?: Done): void;
  touch(sid: string, session: SessionLike, done?: Done): void;
  destroy(sid: string, done?: Done): void;
  all(done: Done<(StoredSession & { readonly id: string })[]>): void;
  length(done: Done<number>): void;
  clear(done?: Done): void;
}

/** The `Store` of express-session, which needs no arguments. */
type StoreClass<Base> = new () => Base;

/**
 * Makes a store of sessions in a Meridian cluster. Pass the `Store` class of the express-session that will use it: this package has none of its own.
 * A session lives as long as its cookie, and each request that touches it extends that.
 */
export function meridianStore<Base extends object>(
  store: StoreClass<Base>,
  options: MeridianStoreOptions,
): Base & MeridianStore {
  const { client, prefix = "sess", ttl = "1d" } = options;
  const sessions = client.namespace<StoredSession>(prefix, { ttl });
  return Object.assign(
    new store(),
    methodsOf(sessions, () => deletePrefix(client, `${prefix}:`)),
  );
}

function methodsOf(
  sessions: Namespace<never, StoredSession>,
  clear: () => Promise<number>,
): MeridianStore {
  return {
    get: (sid, done) => call(async () => (await sessions.get(sid)) ?? null, done),
    set: (sid, session, done) =>
      call(async () => {
        const ttlMs = lifeMsOf(session);
        // A session has methods, and its cookie is an object of a class.
        const plain = JSON.parse(JSON.stringify(session)) as never;
        if (ttlMs !== undefined && ttlMs <= 0) await sessions.delete(sid);
        else await sessions.set(sid, plain, { ttlMs });
      }, done),
    touch: (sid, session, done) =>
      call(async () => {
        const ttlMs = lifeMsOf(session);
        if (ttlMs !== undefined && ttlMs <= 0) await sessions.delete(sid);
        else await sessions.touch(sid, { ttlMs });
      }, done),
    destroy: (sid, done) => call(async () => void (await sessions.delete(sid)), done),
    all: (done) =>
      call(async () => {
        const found: (StoredSession & { readonly id: string })[] = [];
        for await (const { key, value } of sessions.entries()) {
          if (value !== undefined) found.push({ ...value, id: key });
        }
        return found;
      }, done),
    length: (done) =>
      call(async () => {
        let count = 0;
        for await (const _ of sessions.keys()) count += 1;
        return count;
      }, done),
    clear: (done) => call(async () => void (await clear()), done),
  };
}

/** How much longer the cookie lives, in milliseconds; undefined where it says nothing. */
function lifeMsOf({ cookie }: SessionLike): number | undefined {
  const { maxAge = cookie.originalMaxAge } = cookie;
  return typeof maxAge === "number" ? Math.ceil(maxAge) : undefined;
}

/** Does the work, and calls `done` once. */
function call<Result>(work: () => Promise<Result>, done: Done<Result> | undefined): void {
  const run = async (): Promise<void> => {
    let result: Result;
    try {
      result = await work();
    } catch (error) {
      done?.(error);
      return;
    }
    done?.(null, result);
  };
  void run();
}
