import { useEffect, useRef, useState } from "preact/hooks";

import { pathAtDirectory } from "../../parties/views.ts";
import { api, program, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { factsOfPeers } from "./ask-peers.ts";
import {
  arrangementOf,
  directoriesOf,
  type DirectoryFacts,
  type PeerFacts,
  type ShownDirectory,
} from "./directories.ts";
import type { LiveNodes } from "./use-live-nodes.ts";

/** What the directories say of themselves. */
export interface Cluster {
  readonly cluster: string;
  /** Nodes with that lag or more are not offered. */
  readonly lagMaxMs: number;
  readonly directories: readonly ShownDirectory[];
  /** The id of the region that served the page; undefined for a directory's page. */
  readonly own: string | undefined;
}

/** Until the directory has said it: the bound that it has by default. */
const UNKNOWN: Cluster = {
  cluster: "The world",
  lagMaxMs: 10_000,
  directories: [],
  own: undefined,
};

/** Directories are asked again so long after nodes or directories have come or gone, in milliseconds. */
const AGAIN_MS = 1_000;

/** The cluster as its directories tell it: asked at first, and when their arrangement or that of the nodes has changed. Nothing is asked of an idle cluster. */
export function useCluster({ nodes, moves }: Pick<LiveNodes, "nodes" | "moves">): Cluster {
  const changes = useStore(tokenChanges);
  const [known, setKnown] = useState(UNKNOWN);
  const peers = useRef<PeerFacts>(new Map());
  const isFirst = useRef(true);
  const arrangement = arrangementOf(nodes);
  useEffect(() => {
    const controller = new AbortController();
    const ask = async (): Promise<void> => {
      isFirst.current = false;
      const { signal } = controller;
      try {
        const region = program === "region" ? await api.region("/status", { signal }) : undefined;
        if (region !== undefined) setKnown((before) => ({ ...before, own: region.id }));
        const told = await api.json<DirectoryFacts>("GET", pathAtDirectory("/status"), { signal });
        peers.current = await factsOfPeers(told, peers.current, signal);
        const { cluster, lagMaxMs } = told;
        const url = region === undefined ? location.origin : (region.directory ?? "");
        const directories = directoriesOf(told, peers.current, url);
        setKnown({ cluster, lagMaxMs, directories, own: region?.id });
      } catch {
        // The mark of the feed says that the directory does not answer.
      }
    };
    const timer = setTimeout(() => void ask(), isFirst.current ? 0 : AGAIN_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [changes, arrangement, moves]);
  return known;
}
