import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { useFeed } from "../../parties/use-nodes.ts";
import { askingSoon } from "../keys/asking-soon.ts";
import type { Holding } from "./agreement.ts";
import { holdingAt, pathOf } from "./playground.ts";

/**
 * What a region holds: asked at first, when the key changes there, and when `occasion` does. It is asked once more a moment later,
 * since a change is not everywhere at once.
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
    const ask = (): void => {
      holdingAt(id, key, signal).then(
        (told) => {
          // Answers to earlier questions come before those to later ones on the whole; the last question of all settles it.
          setHolding(told);
          setFailure(undefined);
        },
        (cause: unknown) => {
          if (!signal.aborted) setFailure(messageOf(cause));
        },
      );
    };
    const timers = askingSoon(ask);
    soon.current = timers.askSoon;
    ask();
    return () => {
      controller.abort();
      timers.clear();
    };
  }, [id, key]);
  useEffect(askSoon, [occasion, askSoon]);
  useFeed(pathOf(id, `/watch?key=${encodeURIComponent(key)}`), askSoon, true);
  return { holding, failure, askSoon };
}
