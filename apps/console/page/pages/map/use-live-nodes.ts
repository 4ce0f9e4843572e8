import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { Feed, type FeedState } from "../../api/feed.ts";
import { pathAtDirectory } from "../../parties/views.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { lagsWith, nodesAfter, type Lags, type Nodes } from "./nodes.ts";
import type { OnFrames } from "./pulses.tsx";
import { framesOf, framesText } from "./traffic.ts";

/** What the page knows of the nodes, and how it stands with that. */
export interface LiveNodes {
  readonly nodes: Nodes;
  readonly lags: Lags;
  readonly state: FeedState;
  /** What was said of frames last. */
  readonly traffic: string;
  /** How often it was told that the link of a directory has come or gone. */
  readonly moves: number;
  /** Connects again now. */
  readonly again: () => void;
  /** Tells of frames. Returns what ends that. */
  readonly onFrames: (listener: OnFrames) => () => void;
}

interface Known {
  readonly nodes: Nodes;
  readonly lags: Lags;
}

/** The nodes as they come, go and catch up. */
export function useLiveNodes(): LiveNodes {
  const [known, setKnown] = useState<Known>({ nodes: new Map(), lags: new Map() });
  const [state, setState] = useState<FeedState>({ kind: "connecting" });
  const [traffic, setTraffic] = useState("");
  const [moves, setMoves] = useState(0);
  const feed = useRef<Feed | undefined>(undefined);
  const listeners = useMemo(() => new Set<OnFrames>(), []);
  useEffect(() => {
    const opened = new Feed({
      page: document,
      api,
      path: pathAtDirectory("/nodes/watch?progress=true"),
      onEvent: (event) => {
        if (event.name === "frames") {
          const frames = framesOf(event.data);
          for (const listener of listeners) listener(frames);
          return setTraffic(framesText(frames));
        }
        if (event.name === "directories") return setMoves((count) => count + 1);
        setKnown(({ nodes, lags }) => {
          const next = nodesAfter(nodes, event);
          return { nodes: next, lags: event.name === "node" ? lags : lagsWith(lags, next) };
        });
      },
      onState: setState,
    });
    feed.current = opened;
    opened.start();
    const unlisten = tokenChanges.listen(() => opened.again());
    return () => {
      unlisten();
      opened.stop();
    };
  }, [listeners]);
  const [again, onFrames] = useMemo(
    () => [
      () => feed.current?.again(),
      (listener: OnFrames) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    ],
    [listeners],
  );
  return { ...known, state, traffic, moves, again, onFrames };
}
