/** The first view: every node at its place in the world. */
import { useCallback, useEffect, useState } from "preact/hooks";

import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { Legend } from "./legend.tsx";
import { LiveMark } from "./live-mark.tsx";
import { NearestPanel } from "./nearest-panel.tsx";
import { NodePanel } from "./node-panel.tsx";
import { NodeTable } from "./node-table.tsx";
import { PlaceForm } from "./place-form.tsx";
import type { LatLon } from "./projection.ts";
import { Pulses } from "./pulses.tsx";
import { StatusNews } from "./status-news.tsx";
import { useLiveNodes } from "./use-live-nodes.ts";
import { WorldMap } from "./world-map.tsx";

/** The bound that a directory has by default, until it has said which it has. */
const LAG_MAX_MS = 10_000;

type Choice = { readonly id: string } | { readonly place: LatLon };

/** The map with its panel and its table. */
export function MapPage() {
  const { nodes, lags, state, traffic, again, onFrames } = useLiveNodes();
  const { cluster, lagMaxMs } = useCluster();
  const [choice, setChoice] = useState<Choice>();
  const select = useCallback((id: string) => setChoice({ id }), []);
  const ask = useCallback((place: LatLon) => setChoice({ place }), []);
  const selected = choice !== undefined && "id" in choice ? choice.id : undefined;
  const place = choice !== undefined && "place" in choice ? choice.place : undefined;
  const node = selected === undefined ? undefined : nodes.get(selected);
  const isStale = state.kind !== "live";
  return (
    <section
      class="page"
      aria-labelledby="map-title"
      onKeyDown={(event) => {
        if (event.key === "Escape") setChoice(undefined);
      }}
    >
      <div class="heading">
        <h1 id="map-title">
          <bdi>{cluster}</bdi>
        </h1>
        <LiveMark state={state} again={again} />
      </div>
      <StatusNews nodes={nodes} />
      <div class="map-layout">
        <div class={`card map-card ${isStale ? "stale" : ""}`}>
          <WorldMap
            nodes={nodes}
            lagMaxMs={lagMaxMs}
            selected={selected}
            pin={place}
            onSelect={select}
            onPlace={ask}
          >
            {(map) => <Pulses map={map} nodes={nodes} subscribe={onFrames} />}
          </WorldMap>
          <div class="map-foot">
            <Legend nodes={nodes} />
            <p class="hint traffic" data-testid="traffic">
              {traffic === "" ? "No frames have passed since you look." : `Last: ${traffic}.`}
            </p>
          </div>
        </div>
        <aside class="card side" aria-label="Details">
          {place !== undefined && (
            <NearestPanel place={place} nodes={nodes} lagMaxMs={lagMaxMs} onSelect={select} />
          )}
          {node !== undefined && (
            <NodePanel node={node} lags={lags.get(node.id) ?? []} lagMaxMs={lagMaxMs} />
          )}
          {place === undefined && node === undefined && <h2>Where is the nearest?</h2>}
          <p class="hint" id="map-keys">
            Click the map to see which node is nearest from there, or a node to see how it does.
            With the keyboard, Tab goes to the nodes, arrow keys and Page Down from one to the next,
            Enter opens one, Escape closes it.
          </p>
          <PlaceForm onPlace={ask} />
        </aside>
      </div>
      <NodeTable nodes={nodes} lags={lags} selected={selected} onSelect={select} />
    </section>
  );
}

/** What the directory says of itself once. */
function useCluster(): { readonly cluster: string; readonly lagMaxMs: number } {
  const changes = useStore(tokenChanges);
  const [known, setKnown] = useState({ cluster: "The world", lagMaxMs: LAG_MAX_MS });
  useEffect(() => {
    const controller = new AbortController();
    api.directory("/status", { signal: controller.signal }).then(
      ({ cluster, lagMaxMs }) => setKnown({ cluster, lagMaxMs }),
      () => {
        // The mark of the feed says that the directory does not answer.
      },
    );
    return () => controller.abort();
  }, [changes]);
  return known;
}
