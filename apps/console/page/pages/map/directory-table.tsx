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
    <div class="scroll card" tabIndex={0} role="region" aria-label="Directories as a table">
      <table class="facts">
        <thead>
          <tr>
            <th scope="col">Directory</th>
            <th scope="col">It …</th>
            <th scope="col" class="number">
              Linked nodes
            </th>
            <th scope="col" class="number">
              Latitude
            </th>
            <th scope="col" class="number">
              Longitude
            </th>
            <th scope="col">Address</th>
          </tr>
        </thead>
        <tbody>
          {directories.map((directory) => {
            const { key, name, peer, place, standing } = directory;
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
                  <bdi>{peer ?? location.origin}</bdi>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
