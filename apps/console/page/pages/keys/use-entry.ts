import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import type { SentEvent } from "../../api/event-stream.ts";
import { useFeed } from "../../parties/use-nodes.ts";
import { pathAt, type Party } from "../../parties/views.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import type { AskedRegion, Report } from "./entries.ts";

/** A change at one region is at the others a moment later, in milliseconds. */
const SOON_MS = 250;
const LATER_MS = 2_000;

/** Regions keep the last changes of their keys for a minute after they were asked; so they are asked again within it, in milliseconds. */
const AGAIN_MS = 30_000;

/** What regions know of a key: asked for at first, and again when the first of them tells that it has changed. */
export function useEntry(key: string, regions: readonly Party[]) {
  const there = regions.filter(({ isThere }) => isThere);
  const names = there.map(({ name }) => name).join("\n");
  const [asked, setAsked] = useState<ReadonlyMap<string, AskedRegion>>(new Map());
  const timers = useRef<ReturnType<typeof setTimeout>[]>([]);
  const ask = useCallback(
    (signal?: AbortSignal): void => {
      for (const party of there) {
        void askFor(key, party, signal).then((told) => {
          if (signal?.aborted !== true) setAsked((now) => new Map(now).set(party.name, told));
        });
      }
    },
    // The list is made anew with each drawing; its names say whether it is another one.
    [key, names],
  );
  const askSoon = useCallback((): void => {
    for (const timer of timers.current) clearTimeout(timer);
    timers.current = [SOON_MS, LATER_MS].map((delayMs) => setTimeout(ask, delayMs));
  }, [ask]);
  useEffect(() => {
    const controller = new AbortController();
    const askNow = (): void => {
      if (!document.hidden) ask(controller.signal);
    };
    askNow();
    const interval = setInterval(askNow, AGAIN_MS);
    document.addEventListener("visibilitychange", askNow);
    const unlisten = tokenChanges.listen(askNow);
    return () => {
      controller.abort();
      clearInterval(interval);
      document.removeEventListener("visibilitychange", askNow);
      unlisten();
      for (const timer of timers.current) clearTimeout(timer);
    };
  }, [ask]);
  const onEvent = useCallback(
    ({ name }: SentEvent) => {
      if (name !== "problem") askSoon();
    },
    [askSoon],
  );
  const first = there[0];
  const path =
    first === undefined ? undefined : pathAt(first.id, `/watch?key=${encodeURIComponent(key)}`);
  const { state, again } = useFeed(path, onEvent, true);
  const told = regions.map(
    ({ name, id, isThere }): AskedRegion =>
      asked.get(name) ?? {
        name,
        id,
        aheadMs: 0,
        ...(!isThere && { failure: "The region is gone." }),
      },
  );
  return { told, state, again, askSoon };
}

async function askFor(
  key: string,
  { id, name }: Party,
  signal: AbortSignal | undefined,
): Promise<AskedRegion> {
  try {
    const sentMs = Date.now();
    const options = { query: { key }, ...(signal !== undefined && { signal }) };
    const report = await api.json<Report>("GET", pathAt(id, "/entry"), options);
    return { name, id, report, aheadMs: report.nowMs - (sentMs + Date.now()) / 2 };
  } catch (cause) {
    return { name, id, failure: messageOf(cause), aheadMs: 0 };
  }
}
