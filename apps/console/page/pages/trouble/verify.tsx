/** Whether everyone holds the same: compared when somebody asks for it, with what differs on the map. */
import { heldText, verdictText, type VerifyReport } from "@meridian/doctor";
import { useEffect, useRef, useState } from "preact/hooks";

import type { DirectoryAnswer } from "../../api/answers.ts";
import { ApiProblem, messageOf } from "../../api/api.ts";
import { api } from "../../shell/session.ts";
import { FactsTable, numberColumn } from "../../parts/facts-table.tsx";
import { InertText } from "../keys/inert-text.tsx";
import { factsOfPeers } from "../map/ask-peers.ts";
import { directoriesOf, type PeerFacts, type ShownDirectory } from "../map/directories.ts";
import type { Nodes } from "../map/nodes.ts";
import { VERDICT_LOOKS, type Verdict } from "../map/shapes.ts";
import { WorldMap } from "../map/world-map.tsx";
import { comparedOf, runVerify } from "./verify-run.ts";
import { sentencesOf, verdictOf } from "./verify-words.ts";

/** A comparison ends after this, in milliseconds, however much there is. */
const WHOLE_MS = 600_000;

/** How a comparison stands. */
type Standing =
  | { readonly kind: "none" }
  | { readonly kind: "running"; readonly entries: number; readonly of: number }
  | { readonly kind: "stopped"; readonly why: string }
  | { readonly kind: "done"; readonly report: VerifyReport; readonly scene: Scene };

/** Who was compared, as the map shows them. */
interface Scene {
  readonly nodes: Nodes;
  readonly directories: readonly ShownDirectory[];
  readonly nowMs: number;
}

/** The part of the page that compares. */
export function Verify() {
  const { standing, start, stop } = useVerify();
  const isRunning = standing.kind === "running";
  return (
    <section class="card part" aria-labelledby="verify-title" data-testid="verify">
      <div class="heading">
        <h2 id="verify-title">Does everyone hold the same?</h2>
        <button type="button" onClick={isRunning ? stop : start}>
          {isRunning ? "Stop" : "Compare"}
        </button>
      </div>
      <p class="hint">
        Asks all directories and regions for digests of what they hold, and names the keys on which
        they differ, as <code>meridian verify</code> does. Where tokens are demanded, it takes one
        of scope read for all keys.
      </p>
      {isRunning && (
        <label>
          {standing.entries.toLocaleString("en")} of about {standing.of.toLocaleString("en")}{" "}
          entries compared
          <progress value={standing.entries} max={Math.max(1, standing.of, standing.entries)} />
        </label>
      )}
      <div role="status" class="page">
        {standing.kind === "stopped" && <p class="warning">{standing.why.slice(0, 600)}</p>}
        {standing.kind === "done" &&
          sentencesOf(standing.report).map((sentence, index) => (
            <p key={sentence} class={index === 0 ? "outcome" : undefined}>
              <bdi>{sentence}</bdi>
            </p>
          ))}
      </div>
      {standing.kind === "done" && <Result report={standing.report} scene={standing.scene} />}
    </section>
  );
}

function useVerify() {
  const [standing, setStanding] = useState<Standing>({ kind: "none" });
  const running = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (): Promise<void> => {
    const controller = new AbortController();
    running.current = controller;
    const { signal } = controller;
    const timer = setTimeout(
      () => controller.abort(new Error("It was stopped after ten minutes.")),
      WHOLE_MS,
    );
    setStanding({ kind: "running", entries: 0, of: 0 });
    try {
      const [status, nodes] = await Promise.all([
        api.directory("/status", { signal }),
        api.directory("/nodes", { signal }),
        // What the token has to cover is found out before others are asked.
        api.directory("/digest", { query: { limit: 1 }, signal }),
      ]);
      const compared = comparedOf(status, nodes);
      const peers = await factsOfPeers(status, new Map(), signal);
      const report = await runVerify(api, compared, signal, (entries) =>
        setStanding({ kind: "running", entries, of: compared.entries }),
      );
      setStanding({ kind: "done", report, scene: sceneOf(status, nodes, peers) });
    } catch (cause) {
      setStanding({ kind: "stopped", why: whyOf(signal.aborted ? signal.reason : cause) });
    } finally {
      clearTimeout(timer);
    }
  };
  const stop = (): void => running.current?.abort(new Error("It was stopped."));
  return { standing, start: () => void start(), stop };
}

function whyOf(cause: unknown): string {
  if (cause instanceof ApiProblem && cause.isAboutToken) {
    return "Comparing needs a token of scope read for all keys.";
  }
  return messageOf(cause);
}

function sceneOf(
  status: DirectoryAnswer<"/status">,
  { nodes }: DirectoryAnswer<"/nodes">,
  peers: PeerFacts,
): Scene {
  return {
    nodes: new Map(nodes.map((node) => [node.id, node])),
    directories: directoriesOf(status, peers, location.origin),
    nowMs: status.nowMs,
  };
}

function Result({ report, scene }: { readonly report: VerifyReport; readonly scene: Scene }) {
  const { nodes, directories, nowMs } = scene;
  const verdicts = new Map<string, Verdict>();
  report.parties.forEach((party, index) => {
    const key = party.kind === "node" ? party.name : (directories[index]?.key ?? "");
    verdicts.set(key, verdictOf(party));
  });
  const [selected, setSelected] = useState<string>();
  return (
    <>
      <div class="verdict-map">
        <WorldMap
          nodes={nodes}
          directories={directories}
          verdicts={verdicts}
          lagMaxMs={0}
          selected={selected}
          pin={undefined}
          onSelect={setSelected}
          onPlace={() => setSelected(undefined)}
        >
          {() => null}
        </WorldMap>
      </div>
      <ul class="legend" id="map-keys" aria-label="Verdicts">
        {(Object.keys(VERDICT_LOOKS) as Verdict[]).map((verdict) => (
          <li key={verdict}>
            <svg
              viewBox="-9 -9 18 18"
              class={`mark ${VERDICT_LOOKS[verdict].colour}`}
              aria-hidden="true"
            >
              <path class="shape" d={VERDICT_LOOKS[verdict].shape} />
            </svg>
            {VERDICT_LOOKS[verdict].meaning}
          </li>
        ))}
      </ul>
      <PartyTable report={report} nowMs={nowMs} selected={selected} />
      {report.keys.length > 0 && <KeyTable report={report} />}
    </>
  );
}

function PartyTable({
  report,
  nowMs,
  selected,
}: {
  readonly report: VerifyReport;
  readonly nowMs: number;
  readonly selected: string | undefined;
}) {
  return (
    <FactsTable
      label="Who was compared"
      columns={["Where", numberColumn("Holds"), "Verdict"]}
      isCard={false}
    >
      {report.parties.map((party) => (
        <tr key={`${party.kind} ${party.name}`} class={party.name === selected ? "selected" : ""}>
          <th scope="row">
            <bdi>{party.name}</bdi>
          </th>
          <td class="number">{party.entries?.toLocaleString("en") ?? "–"}</td>
          <td>{verdictText(party, nowMs)}</td>
        </tr>
      ))}
    </FactsTable>
  );
}

function KeyTable({ report: { keys, differing } }: { readonly report: VerifyReport }) {
  return (
    <FactsTable
      label="Keys that differ"
      columns={["Key", "Held where, of which time"]}
      kind="keys"
      isCard={false}
      foot={
        differing > keys.length && (
          <p class="hint">… and {(differing - keys.length).toLocaleString("en")} more.</p>
        )
      }
    >
      {keys.map(({ key, stamps }) => (
        <tr key={key}>
          <th scope="row">
            <InertText text={key} />
          </th>
          <td>
            {Object.entries(stamps).map(([name, stamp]) => (
              <div key={name}>
                <bdi>{name}</bdi>: {heldText(stamp)}
              </div>
            ))}
          </td>
        </tr>
      ))}
    </FactsTable>
  );
}
