/** The facts of one directory. */
import { Address, Fact } from "./node-panel.tsx";
import { linkedTo, type ShownDirectory } from "./directories.ts";
import { placeText } from "./distance.ts";
import type { Nodes } from "./nodes.ts";
import { DIRECTORY_LOOKS } from "./shapes.ts";

/** What is known of a directory. */
export function DirectoryPanel({
  directory,
  nodes,
}: {
  readonly directory: ShownDirectory;
  readonly nodes: Nodes;
}) {
  const { name, url, place, standing, version } = directory;
  return (
    <div data-testid="directory">
      <h2>
        <bdi>{name}</bdi>
      </h2>
      <p>A directory that {DIRECTORY_LOOKS[standing].meaning}.</p>
      <dl class="pairs">
        <Fact name="Place">{place === undefined ? "not given" : placeText(place)}</Fact>
        <Fact name="Address">
          <Address url={url} />
        </Fact>
        <Fact name="Linked nodes">{linkedTo(directory, nodes)}</Fact>
        <Fact name="Version">
          <bdi>{version ?? "unknown"}</bdi>
        </Fact>
      </dl>
    </div>
  );
}
