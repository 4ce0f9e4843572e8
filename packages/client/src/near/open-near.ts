import type { Session } from "../session.ts";
import { NearCache } from "./near-cache.ts";
import type { Near } from "./near.ts";
import { NearWatch, type NearWatchOptions } from "./near-watch.ts";

/** Makes a near cache, which begins to watch at once, or, if it is `lazy`, with the first read. */
export function openNear(
  options: Omit<NearWatchOptions, "near">,
  session: Session | undefined,
  lazy: boolean,
): Near {
  const { terms, network } = options;
  const onWanted = (): void => watch.start();
  const near = new NearCache({ terms, clock: network.clock, session, onWanted });
  const watch = new NearWatch({ ...options, near });
  if (!lazy) watch.start();
  return near;
}
