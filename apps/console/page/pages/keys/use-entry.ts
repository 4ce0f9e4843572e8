import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { ApiProblem, messageOf } from "../../api/api.ts";
import type { SentEvent } from "../../api/event-stream.ts";
import { useFeed } from "../../parties/use-nodes.ts";
import { pathAt, type Party } from "../../parties/views.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { askingSoon } from "./asking-soon.ts";
import { afterAnswer, toldOf, type AskedRegion, type Report } from "./entries.ts";
import { Questions } from "./questions.ts";

/** Regions keep the last changes of their keys for a minute after they were asked; so they are asked again within it, in milliseconds. */
const AGAIN_MS = 30_000;

/** A directory hands on eight requests of one client at once; some are left for what else the page asks. */
const AT_ONCE = 4;

/** The pause before who had too much to do is asked again, in milliseconds. */
const BUSY_MS = 1_000;

/** What regions know of a key: asked for at first, and again when the first of them tells that it has changed. */
export function useEntry(key: string, regions: readonly Party[]) {
  const there = regions.filter(({ isThere }) => isThere);
  const [asked, setAsked] = useState<ReadonlyMap<string, AskedRegion>>(new Map());
  const [questions] = useState(() => new Questions(AT_ONCE));
  const soon = useRef(() => {});
  const askSoon = useCallback(() => soon.current(), []);
  // The list is made anew with each drawing; its names say whether it is another one.
  const names = there.map(({ name }) => name).join("\n");
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const ask = (): void => {
      for (const party of there) {
        questions.want(party.name, async () => {
          const told = await askFor(key, party, signal);
          if (told !== undefined) setAsked((now) => afterAnswer(now, told));
        });
      }
    };
    const timers = askingSoon(ask);
    soon.current = timers.askSoon;
    const askNow = (): void => {
      if (!document.hidden) ask();
    };
    askNow();
    const interval = setInterval(askNow, AGAIN_MS);
    document.addEventListener("visibilitychange", askNow);
    const unlisten = tokenChanges.listen(() => {
      // What one token may read, another may not.
      setAsked(new Map());
      askNow();
    });
    return () => {
      questions.clear();
      controller.abort();
      clearInterval(interval);
      document.removeEventListener("visibilitychange", askNow);
      unlisten();
      timers.clear();
    };
  }, [key, names, questions]);
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
  return { told: toldOf(regions, asked), state, again, askSoon };
}

/** Whether a failure says nothing of what was asked for. */
function isSilence(cause: unknown): boolean {
  if (!(cause instanceof ApiProblem)) return false;
  return cause.code === "OVERLOADED" || cause.code === "UNREACHABLE" || cause.status === 401;
}

/** What a region says; undefined if nobody asks any more. */
async function askFor(
  key: string,
  { id, name }: Party,
  signal: AbortSignal,
): Promise<AskedRegion | undefined> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const sentMs = Date.now();
      const options = { query: { key }, signal };
      const report = await api.json<Report>("GET", pathAt(id, "/entry"), options);
      return { name, id, report, aheadMs: report.nowMs - (sentMs + Date.now()) / 2 };
    } catch (cause) {
      if (signal.aborted) return undefined;
      const isBusy = cause instanceof ApiProblem && cause.code === "OVERLOADED";
      if (!isBusy || attempt > 0)
        return { name, id, failure: messageOf(cause), isSilent: isSilence(cause), aheadMs: 0 };
    }
    await new Promise((resolve) => setTimeout(resolve, BUSY_MS));
    if (signal.aborted) return undefined;
  }
}
