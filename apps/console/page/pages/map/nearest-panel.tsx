/** Asks which node is nearest to a place, and says why it is that one. */
import { useEffect, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import type { DirectoryAnswer } from "../../api/answers.ts";
import { pathAtDirectory } from "../../parties/views.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { distanceText, placeText } from "./distance.ts";
import { lagText } from "./node-marks.tsx";
import type { Nodes } from "./nodes.ts";
import { passedOver } from "./offered.ts";
import type { LatLon } from "./projection.ts";

type Offered = DirectoryAnswer<"/nearest">["nodes"];

/** How many nodes are listed. */
const LISTED = 5;

/** The answer of `GET /nearest` for a place, with what it passes over. */
export function NearestPanel({
  place,
  nodes,
  lagMaxMs,
  onSelect,
}: {
  readonly place: LatLon;
  readonly nodes: Nodes;
  readonly lagMaxMs: number;
  readonly onSelect: (id: string) => void;
}) {
  const changes = useStore(tokenChanges);
  const [answer, setAnswer] = useState<{ readonly nodes: Offered; readonly place: LatLon }>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    const query = { lat: place.lat, lon: place.lon, limit: LISTED };
    const options = { query, signal: controller.signal };
    api.json<DirectoryAnswer<"/nearest">>("GET", pathAtDirectory("/nearest"), options).then(
      (found) => {
        setAnswer({ nodes: found.nodes, place });
        setFailure(undefined);
      },
      (cause: unknown) => {
        if (!controller.signal.aborted) setFailure(messageOf(cause));
      },
    );
    return () => controller.abort();
  }, [place, changes]);
  const shown = answer?.place === place ? answer.nodes : [];
  const [first] = shown;
  const why =
    failure === undefined && first === undefined ? [] : passedOver(nodes, place, first, lagMaxMs);
  return (
    <div data-testid="nearest">
      <h2>Nearest to {placeText(place)}</h2>
      <div aria-live="polite">
        {failure !== undefined && <p class="warning">{failure.slice(0, 400)}</p>}
        {failure === undefined && first !== undefined && (
          <ol class="ranking">
            {shown.map((node) => (
              <li key={node.id} data-id={node.id} data-meters={node.distanceMeters}>
                <button type="button" class="link" onClick={() => onSelect(node.id)}>
                  <bdi>{node.id}</bdi>
                </button>
                <span>{distanceText(node.distanceMeters)}</span>
                <span class="hint">
                  {lagText(node.lagMs)} behind, {Math.round(node.load.requestsPerSecond)} requests/s
                </span>
              </li>
            ))}
          </ol>
        )}
        {why.map((sentence) => (
          <p class="hint" key={sentence}>
            <bdi>{sentence}</bdi>
          </p>
        ))}
        {first !== undefined && (
          <p class="hint">
            Of the ready nodes that are less than {lagText(lagMaxMs)} behind and refuse nobody,{" "}
            <bdi>{first.id}</bdi> has the least great-circle distance. Load does not change the
            order.
          </p>
        )}
      </div>
    </div>
  );
}
