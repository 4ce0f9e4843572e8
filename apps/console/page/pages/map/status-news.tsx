import { useEffect, useRef, useState } from "preact/hooks";

import { newsOf } from "./news.ts";
import type { Nodes } from "./nodes.ts";

/** Says to those who do not see the map which nodes have come, gone or changed their status. */
export function StatusNews({ nodes }: { readonly nodes: Nodes }) {
  const before = useRef<Nodes | undefined>(undefined);
  const [news, setNews] = useState("");
  useEffect(() => {
    const known = before.current;
    before.current = nodes;
    if (known === undefined || known.size === 0) return;
    const said = newsOf(known, nodes);
    if (said !== "") setNews(said);
  }, [nodes]);
  return (
    <p class="unseen" role="status" data-testid="news">
      {news}
    </p>
  );
}
