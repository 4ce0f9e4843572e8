import { useState } from "preact/hooks";
import { FactsTable, numberColumn } from "../../parts/facts-table.tsx";

import { lagText } from "./node-marks.tsx";
import type { Lags, Nodes, ShownNode } from "./nodes.ts";
import { colourOf, lookOf } from "./shapes.ts";
import { Sparkline } from "./sparkline.tsx";

/** With more nodes than this, the others are shown when they are asked for. */
const ROWS_MAX = 100;

const COLUMNS = [
  "Node",
  "Status",
  "Lag",
  numberColumn("Outbox"),
  numberColumn("Requests/s"),
  numberColumn("Latitude"),
  numberColumn("Longitude"),
  "Region",
  "Address",
];

/** The same facts as on the map, as a table. */
export function NodeTable({
  nodes,
  lags,
  selected,
  onSelect,
}: {
  readonly nodes: Nodes;
  readonly lags: Lags;
  readonly selected: string | undefined;
  readonly onSelect: (id: string) => void;
}) {
  const [isWhole, setIsWhole] = useState(false);
  const sorted = [...nodes.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const shown = isWhole ? sorted : sorted.slice(0, ROWS_MAX);
  return (
    <FactsTable
      label="Nodes as a table"
      columns={COLUMNS}
      foot={
        sorted.length > shown.length && (
          <button type="button" class="more" onClick={() => setIsWhole(true)}>
            Show all {sorted.length.toLocaleString("en")} nodes
          </button>
        )
      }
    >
      {shown.map((node) => (
        <Row
          key={node.id}
          node={node}
          lags={lags.get(node.id) ?? []}
          isSelected={node.id === selected}
          onSelect={onSelect}
        />
      ))}
    </FactsTable>
  );
}

function Row({
  node,
  lags,
  isSelected,
  onSelect,
}: {
  readonly node: ShownNode;
  readonly lags: readonly number[];
  readonly isSelected: boolean;
  readonly onSelect: (id: string) => void;
}) {
  return (
    <tr data-id={node.id} class={isSelected ? "selected" : ""}>
      <th scope="row">
        <button type="button" class="link" onClick={() => onSelect(node.id)}>
          <bdi>{node.id}</bdi>
        </button>
      </th>
      <td class="short">
        <svg viewBox="-9 -9 18 18" class={`mark ${colourOf(node.status)}`} aria-hidden="true">
          <path class="shape" d={lookOf(node.status).shape} />
        </svg>{" "}
        {node.status}
      </td>
      <td class="short">
        {node.lagMs === null ? "unknown" : lagText(node.lagMs)} <Sparkline values={lags} />
      </td>
      <td class="number">{node.outboxPending ?? "unknown"}</td>
      <td class="number">
        {node.load === null ? "unknown" : Math.round(node.load.requestsPerSecond)}
      </td>
      <td class="number">{node.lat.toFixed(2)}</td>
      <td class="number">{node.lon.toFixed(2)}</td>
      <td>
        <bdi>{node.region}</bdi>
      </td>
      <td>
        <bdi>{node.url}</bdi>
      </td>
    </tr>
  );
}
