/** The first view: every node at its place in the world. */
import { useCallback, useState } from "preact/hooks";

import { DirectoryPanel } from "./directory-panel.tsx";
import { DirectoryTable } from "./directory-table.tsx";
import { Legend } from "./legend.tsx";
import { LiveMark } from "./live-mark.tsx";
import { NearestPanel } from "./nearest-panel.tsx";
import { NodePanel } from "./node-panel.tsx";
import { NodeTable } from "./node-table.tsx";
import { PlaceForm } from "./place-form.tsx";
import type { LatLon } from "./projection.ts";
import { Pulses } from "./pulses.tsx";
import { StatusNews } from "./status-news.tsx";
import { useCluster, type Cluster } from "./use-cluster.ts";
import { useLiveNodes, type LiveNodes } from "./use-live-nodes.ts";
import { WorldMap } from "./world-map.tsx";

/** What is looked at: a node or a directory, or a place. */
type Choice = { readonly id: string } | { readonly place: LatLon };

/** What the parts of the page share. */
interface Parts {
  readonly live: LiveNodes;
  readonly cluster: Cluster;
  readonly choice: Choice | undefined;
  readonly onSelect: (id: string) => void;
  readonly onPlace: (place: LatLon) => void;
}

/** The map with its panel and its tables. */
export function MapPage() {
  const live = useLiveNodes();
  const cluster = useCluster(live);
  const [chosen, setChosen] = useState<Choice | null>();
  // A region's page shows that region until something else is chosen, or nothing.
  const own = cluster.own === undefined ? undefined : { id: cluster.own };
  const choice = chosen === null ? undefined : (chosen ?? own);
  const onSelect = useCallback((id: string) => setChosen({ id }), []);
  const onPlace = useCallback((place: LatLon) => setChosen({ place }), []);
  const parts = { live, cluster, choice, onSelect, onPlace };
  return (
    <section
      class="page"
      aria-labelledby="map-title"
      onKeyDown={(event) => {
        if (event.key === "Escape") setChosen(null);
      }}
    >
      <div class="heading">
        <h1 id="map-title">
          <bdi>{cluster.cluster}</bdi>
        </h1>
        <LiveMark state={live.state} again={live.again} />
      </div>
      {own !== undefined && (
        <p class="hint">
          As the directory of <bdi>{own.id}</bdi> tells it.
        </p>
      )}
      <StatusNews nodes={live.nodes} />
      <div class="map-layout">
        <MapCard {...parts} />
        <Side {...parts} />
      </div>
      <Tables {...parts} />
    </section>
  );
}

function idIn(choice: Choice | undefined): string | undefined {
  return choice !== undefined && "id" in choice ? choice.id : undefined;
}

function placeIn(choice: Choice | undefined): LatLon | undefined {
  return choice !== undefined && "place" in choice ? choice.place : undefined;
}

function MapCard({ live, cluster, choice, onSelect, onPlace }: Parts) {
  const { nodes, state, traffic, onFrames } = live;
  const { lagMaxMs, directories } = cluster;
  const placed = directories.filter(({ place }) => place !== undefined);
  return (
    <div class={`card map-card ${state.kind === "live" ? "" : "stale"}`}>
      <WorldMap
        nodes={nodes}
        directories={directories}
        lagMaxMs={lagMaxMs}
        selected={idIn(choice)}
        pin={placeIn(choice)}
        onSelect={onSelect}
        onPlace={onPlace}
      >
        {(map) => (
          <Pulses map={map} nodes={nodes} directory={directories[0]?.place} subscribe={onFrames} />
        )}
      </WorldMap>
      <div class="map-foot">
        <Legend nodes={nodes} directories={placed.length} />
        <p class="hint traffic" data-testid="traffic">
          {traffic === "" ? "No frames have passed since you look." : `Last: ${traffic}.`}
        </p>
      </div>
    </div>
  );
}

function Side({ live, cluster, choice, onSelect, onPlace }: Parts) {
  const { nodes, lags } = live;
  const { lagMaxMs, directories } = cluster;
  const [id, place] = [idIn(choice), placeIn(choice)];
  const node = id === undefined ? undefined : nodes.get(id);
  const directory = directories.find(({ key }) => key === id);
  return (
    <aside class="card side" aria-label="Details">
      {place !== undefined && (
        <NearestPanel place={place} nodes={nodes} lagMaxMs={lagMaxMs} onSelect={onSelect} />
      )}
      {node !== undefined && (
        <NodePanel node={node} lags={lags.get(node.id) ?? []} lagMaxMs={lagMaxMs} />
      )}
      {directory !== undefined && <DirectoryPanel directory={directory} nodes={nodes} />}
      {place === undefined && node === undefined && directory === undefined && (
        <h2>Where is the nearest?</h2>
      )}
      <p class="hint" id="map-keys">
        Click the map to see which node is nearest from there, or a node to see how it does. With
        the keyboard, Tab goes to the nodes, arrow keys and Page Down from one to the next, Enter
        opens one, Escape closes it.
      </p>
      <PlaceForm onPlace={onPlace} />
    </aside>
  );
}

function Tables({ live: { nodes, lags }, cluster: { directories }, choice, onSelect }: Parts) {
  const selected = idIn(choice);
  const isShown = directories.length > 1 || directories[0]?.place !== undefined;
  return (
    <>
      <NodeTable nodes={nodes} lags={lags} selected={selected} onSelect={onSelect} />
      {isShown && (
        <DirectoryTable
          directories={directories}
          nodes={nodes}
          selected={selected}
          onSelect={onSelect}
        />
      )}
    </>
  );
}
