import { FactsTable, numberColumn } from "../../parts/facts-table.tsx";
import { linkedTo, type ShownDirectory } from "./directories.ts";
import type { Nodes } from "./nodes.ts";
import { DIRECTORY_LOOKS } from "./shapes.ts";

/** The directories of the map, as a table. */
export function DirectoryTable({
  directories,
  nodes,
  selected,
  onSelect,
}: {
  readonly directories: readonly ShownDirectory[];
  readonly nodes: Nodes;
  readonly selected: string | undefined;
  readonly onSelect: (key: string) => void;
}) {
  return (
    <FactsTable
      label="Directories as a table"
      columns={[
        "Directory",
        "It …",
        numberColumn("Linked nodes"),
        numberColumn("Latitude"),
        numberColumn("Longitude"),
        "Address",
      ]}
    >
      {directories.map((directory) => {
        const { key, name, url, place, standing } = directory;
        return (
          <tr key={key} class={key === selected ? "selected" : ""}>
            <th scope="row">
              <button type="button" class="link" onClick={() => onSelect(key)}>
                <bdi>{name}</bdi>
              </button>
            </th>
            <td class="short">
              <svg
                viewBox="-9 -9 18 18"
                class={`mark is-directory is-${standing}`}
                aria-hidden="true"
              >
                <path class="shape" d={DIRECTORY_LOOKS[standing].shape} />
              </svg>{" "}
              {DIRECTORY_LOOKS[standing].meaning}
            </td>
            <td class="number">{linkedTo(directory, nodes)}</td>
            <td class="number">{place === undefined ? "–" : place.lat.toFixed(2)}</td>
            <td class="number">{place === undefined ? "–" : place.lon.toFixed(2)}</td>
            <td>
              <bdi>{url}</bdi>
            </td>
          </tr>
        );
      })}
    </FactsTable>
  );
}
