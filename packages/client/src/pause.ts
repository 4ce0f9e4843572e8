import type { Network } from "./exchange.ts";
import { followAbort } from "./follow-abort.ts";

/**
 * Waits for a time, or until the signal aborts; never rejects. Unlike the clock's own timers it keeps a Node.js process
 * from ending, because between two attempts no open socket does so.
 */
export async function pause(
  network: Pick<Network, "deadlines">,
  pauseMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { port1, port2 } = new MessageChannel();
  Object.assign(port1, { onmessage: () => {} });
  let cancel = (): void => {};
  let unfollow = (): void => {};
  try {
    await new Promise<void>((resolve) => {
      cancel = network.deadlines.after(pauseMs, resolve);
      unfollow = followAbort(signal, resolve);
    });
  } finally {
    unfollow();
    cancel();
    port1.close();
    port2.close();
  }
}
