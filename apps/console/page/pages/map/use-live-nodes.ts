import { useEffect, useRef, useState } from "preact/hooks";

import { Feed, type FeedState } from "../../api/feed.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { nodesAfter, type Nodes } from "./nodes.ts";

/** The nodes as they come and go. */
export function useLiveNodes(): {
  readonly nodes: Nodes;
  readonly state: FeedState;
  readonly again: () => void;
} {
  const [nodes, setNodes] = useState<Nodes>(new Map());
  const [state, setState] = useState<FeedState>({ kind: "connecting" });
  const feed = useRef<Feed | undefined>(undefined);
  useEffect(() => {
    const opened = new Feed({
      api,
      path: "/nodes/watch",
      onEvent: (event) => setNodes((before) => nodesAfter(before, event)),
      onState: setState,
    });
    feed.current = opened;
    opened.start();
    const unlisten = tokenChanges.listen(() => opened.again());
    return () => {
      unlisten();
      opened.stop();
    };
  }, []);
  return { nodes, state, again: () => feed.current?.again() };
}
