import { useEffect, useRef, useState } from "preact/hooks";

import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import {
  arrangementOf,
  directoriesOf,
  type DirectoryFacts,
  type PeerFacts,
  type ShownDirectory,
} from "./directories.ts";
import type { Nodes } from "./nodes.ts";

/** What the directories say of themselves. */
export interface Cluster {
  readonly cluster: string;
  /** Nodes with that lag or more are not offered. */
  readonly lagMaxMs: number;
  readonly directories: readonly ShownDirectory[];
}

/** Until the directory has said it: the bound that it has by default. */
const UNKNOWN: Cluster = { cluster: "The world", lagMaxMs: 10_000, directories: [] };

/** Directories are asked again so long after nodes have come, gone or moved between them, in milliseconds. */
const AGAIN_MS = 1_000;

/** The cluster as its directories tell it: asked at first, and when the arrangement of the nodes has changed. Nothing is asked of an idle cluster. */
export function useCluster(nodes: Nodes): Cluster {
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
        const own = await api.directory("/status", { signal });
        peers.current = await factsOf(own, peers.current, signal);
        const { cluster, lagMaxMs } = own;
        setKnown({ cluster, lagMaxMs, directories: directoriesOf(own, peers.current) });
      } catch {
        // The mark of the feed says that the directory does not answer.
      }
    };
    const timer = setTimeout(() => void ask(), isFirst.current ? 0 : AGAIN_MS);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [changes, arrangement]);
  return known;
}

/** What each followed directory says, or said when it could be asked. */
async function factsOf(
  { peers }: DirectoryFacts,
  before: PeerFacts,
  signal: AbortSignal,
): Promise<PeerFacts> {
  const facts = new Map<string, DirectoryFacts>();
  await Promise.all(
    peers.map(async ({ name }) => {
      const path = `/peers/${encodeURIComponent(name)}/view/status`;
      const told = await api
        .json<DirectoryFacts>("GET", path, { signal })
        .catch(() => before.get(name));
      if (told !== undefined) facts.set(name, told);
    }),
  );
  signal.throwIfAborted();
  return facts;
}
