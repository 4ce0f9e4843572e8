import { untilDone, type MeridianClient, type WatchEvent } from "@meridian/client";

import type { Changed } from "./driver.ts";

/** What to watch, and who is told. */
interface KeyWatch {
  readonly client: MeridianClient;
  readonly base: string;
  readonly changed: Changed;
  readonly failed: ((error: unknown) => void) | undefined;
  /** Called once the watch is over, for whatever reason. */
  readonly done: () => void;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/**
 * Watches all keys under a base, and resolves once it will tell every later change. unstorage has no word for "something may have been
 * missed", so this remembers the etag of every key, and, when the client says so, compares them with what there is.
 */
export async function watchKeys(watch: KeyWatch): Promise<void> {
  const { client, base, changed, failed, done, signal } = watch;
  const prefix = `${base}:`;
  const etags = new Map<string, string>();

  const tell = (key: string, etag: string | undefined): void => {
    if (etag === undefined) etags.delete(key);
    else etags.set(key, etag);
    changed(etag === undefined ? "remove" : "update", key.slice(prefix.length));
  };
  const compare = async (): Promise<void> => {
    const gone = new Set(etags.keys());
    for await (const { key, etag } of client.keys({ prefix, signal })) {
      gone.delete(key);
      if (etags.get(key) !== etag) tell(key, etag);
    }
    for (const key of gone) tell(key, undefined);
  };
  const take = async (event: WatchEvent): Promise<void> => {
    if (event.event === "reload") await untilDone(compare, signal);
    else if (event.event !== "set") tell(event.key, undefined);
    // What a comparison has told comes once more as an event.
    else if (etags.get(event.key) !== event.etag) tell(event.key, event.etag);
  };

  let isLive = false;
  await new Promise<void>((live, refuse) => {
    const onLive = (): void => {
      isLive = true;
      live();
    };
    const follow = async (): Promise<void> => {
      try {
        for await (const { key, etag } of client.keys({ prefix, signal })) etags.set(key, etag);
        for await (const event of client.watch({ prefix, signal, onLive })) await take(event);
      } catch (error) {
        if (!isLive) refuse(error as Error);
        else if (!signal.aborted) failed?.(error);
      } finally {
        done();
      }
    };
    void follow();
  });
}
