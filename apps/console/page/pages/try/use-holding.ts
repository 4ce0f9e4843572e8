import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { useFeed } from "../../parties/use-nodes.ts";
import { askingSoon } from "../keys/asking-soon.ts";
import type { Holding } from "./agreement.ts";
import { holdingAt, pathOf } from "./playground.ts";

/** Where something changes all the time, a region is asked so often, in milliseconds. */
const PACE_MS = 1_000;

/**
 * What a region holds: asked at first, when anything changes there, and when `occasion` does. It is asked once more a moment later,
 * since a change is not everywhere at once; and never while it is still to answer.
 */
export function useHolding(id: string, key: string, occasion: string) {
  const [holding, setHolding] = useState<Holding>();
  const [failure, setFailure] = useState<string>();
  const soon = useRef(() => {});
  const askSoon = useCallback(() => soon.current(), []);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setHolding(undefined);
    let [isAsking, isWanted] = [false, false];
    const ask = async (): Promise<void> => {
      isWanted = true;
      if (isAsking) return;
      isAsking = true;
      while (isWanted && !signal.aborted) {
        isWanted = false;
        const paced = new Promise((resolve) => setTimeout(resolve, PACE_MS));
        try {
          const told = await holdingAt(id, key, signal);
          if (signal.aborted) return;
          setHolding(told);
          setFailure(undefined);
        } catch (cause) {
          if (!signal.aborted) setFailure(messageOf(cause));
        }
        if (isWanted) await paced;
      }
      isAsking = false;
    };
    const timers = askingSoon(() => void ask());
    soon.current = timers.askSoon;
    void ask();
    return () => {
      controller.abort();
      timers.clear();
    };
  }, [id, key]);
  useEffect(askSoon, [occasion, askSoon]);
  // Digests are of everything, so they are asked for whatever changes.
  useFeed(pathOf(id, "/watch?prefix="), askSoon, true);
  return { holding, failure, askSoon };
}
