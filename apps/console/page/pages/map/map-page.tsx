/** The first view: every node at its place in the world. */
import { LiveMark } from "./live-mark.tsx";
import { NodeTable } from "./node-table.tsx";
import { useLiveNodes } from "./use-live-nodes.ts";

/** The map with its table. */
export function MapPage() {
  const { nodes, state, again } = useLiveNodes();
  return (
    <section class="page" aria-labelledby="map-title">
      <div class="heading">
        <h1 id="map-title">The world</h1>
        <LiveMark state={state} again={again} />
      </div>
      <NodeTable nodes={nodes} />
    </section>
  );
}
