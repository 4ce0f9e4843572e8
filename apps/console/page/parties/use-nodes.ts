import { useEffect, useState } from "preact/hooks";

import type { SentEvent } from "../api/event-stream.ts";
import { Feed, type FeedState } from "../api/feed.ts";
import { api, program, tokenChanges } from "../shell/session.ts";
import { nodesAfter, type Nodes } from "../pages/map/nodes.ts";
import type { Party } from "./views.ts";

/** The events of a path while the component is there. `onEvent` and `path` may change; `isQuiet` and `rests` are as a feed takes them. */
export function useFeed(
  path: string | undefined,
  onEvent: (event: SentEvent) => void,
  isQuiet = false,
  rests = true,
) {
  const [state, setState] = useState<FeedState>({ kind: "connecting" });
  const [feed, setFeed] = useState<Feed>();
  useEffect(() => {
    if (path === undefined) return;
    const opened = new Feed({
      page: document,
      api,
      path,
      isQuiet,
      rests,
      onEvent,
      onState: setState,
    });
    setFeed(opened);
    opened.start();
    const unlisten = tokenChanges.listen(() => opened.again());
    return () => {
      unlisten();
      opened.stop();
    };
  }, [path, onEvent, isQuiet, rests]);
  return { state, again: () => feed?.again() };
}

/** The regions that the page can show: those that a directory knows, or the one that served the page. */
export function useRegions(): readonly Party[] {
  const [nodes, setNodes] = useState<Nodes>(new Map());
  const [name, setName] = useState("");
  const [onEvent] = useState(() => (event: SentEvent) => setNodes((now) => nodesAfter(now, event)));
  useFeed(program === "directory" ? "/nodes/watch" : undefined, onEvent);
  useEffect(() => {
    if (program !== "region") return;
    const ask = (): void => {
      api.region("/status").then(
        ({ id }) => setName(id),
        () => setName("this region"),
      );
    };
    ask();
    return tokenChanges.listen(ask);
  }, []);
  if (program === "region") return name === "" ? [] : [{ id: undefined, name, isThere: true }];
  return [...nodes.values()]
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, status }) => ({ id, name: id, isThere: status !== "gone" }));
}
