import type { Nodes } from "./nodes.ts";

/** The same facts as on the map, as a table. */
export function NodeTable({ nodes }: { readonly nodes: Nodes }) {
  const sorted = [...nodes.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return (
    <div class="scroll card" tabIndex={0} role="region" aria-label="Nodes as a table">
      <table class="facts">
        <thead>
          <tr>
            <th scope="col">Node</th>
            <th scope="col">Region</th>
            <th scope="col">Status</th>
            <th scope="col">Latitude</th>
            <th scope="col">Longitude</th>
            <th scope="col">URL</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((node) => (
            <tr key={node.id}>
              <th scope="row">
                <bdi>{node.id}</bdi>
              </th>
              <td>
                <bdi>{node.region}</bdi>
              </td>
              <td>{node.status}</td>
              <td class="number">{node.lat.toFixed(2)}</td>
              <td class="number">{node.lon.toFixed(2)}</td>
              <td>
                <bdi>{node.url}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
