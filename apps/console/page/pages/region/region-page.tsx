/** What a program does: the last hour of its numbers, and how full its queues are. */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";

import { problemIn, type SentEvent } from "../../api/event-stream.ts";
import type { PageProps } from "../../pages.ts";
import { useFeed, useRegions } from "../../parties/use-nodes.ts";
import { GoneRegion } from "../../parties/region-choice.tsx";
import { pathAt, type Party } from "../../parties/views.ts";
import { fragmentOf } from "../../shell/place.ts";
import { api, program } from "../../shell/session.ts";
import { FactsTable, numberColumn } from "../../parts/facts-table.tsx";
import "../../styles/region.css";
import { LiveMark } from "../map/live-mark.tsx";
import { amountText } from "./amounts.ts";
import { chartsOf, type Chart } from "./charts.ts";
import { extentOf, historyAfter, type KeptHistory } from "./history.ts";
import { LineChart } from "./line-chart.tsx";
import { Queues, type Queue } from "./queues.tsx";

const DIRECTORY = "directory itself";

interface Status {
  readonly status?: string;
  readonly version: string;
  readonly gauges: readonly Queue[];
}

/** The page of one region, or of the directory that served the page. */
export function RegionPage({ parts: [wanted] }: PageProps) {
  const regions = useRegions();
  // The region that is shown stays the same, whichever come and go.
  const pinned = useRef<Party | undefined>(undefined);
  pinned.current ??= regions.find(({ isThere }) => isThere);
  const first = pinned.current;
  const id = program === "region" ? undefined : (wanted ?? first?.id);
  const party = id === DIRECTORY ? undefined : id;
  const isGone = regions.some((each) => each.id === party && !each.isThere);
  const isKnown = program === "region" || id !== undefined;
  return (
    <section class="page" aria-labelledby="region-title">
      {isGone && party !== undefined && <GoneRegion name={party} />}
      {isKnown ? (
        <Program
          key={id ?? ""}
          id={party}
          name={id ?? regions[0]?.name ?? ""}
          choices={program === "region" ? [] : regions}
        />
      ) : (
        <>
          <h1 id="region-title">Region</h1>
          <p class="notice">No region has come to this directory yet.</p>
        </>
      )}
    </section>
  );
}

function Program({
  id,
  name,
  choices,
}: {
  readonly id: string | undefined;
  readonly name: string;
  readonly choices: readonly Party[];
}) {
  const [history, setHistory] = useState<KeptHistory>();
  const [failure, setFailure] = useState<string>();
  const onEvent = useCallback((event: SentEvent) => {
    const problem = problemIn(event);
    setFailure(problem);
    if (problem !== undefined) return;
    setHistory((before) => historyAfter(before, event));
  }, []);
  const { state, again } = useFeed(pathAt(id, "/history/watch"), onEvent);
  const status = useStatus(id, history?.atMs.at(-1));
  const charts = useMemo(() => (history === undefined ? [] : chartsOf(history)), [history]);
  return (
    <>
      <div class="heading">
        <h1 id="region-title">
          <bdi>{name}</bdi>
          {status !== undefined && (
            <span class="hint">
              {" "}
              {status.status ?? "directory"}, version {status.version}
            </span>
          )}
        </h1>
        <LiveMark state={state} again={again} />
      </div>
      {choices.length > 0 && <Choice name={name} choices={choices} />}
      {failure !== undefined && (
        <p class="warning" role="alert">
          {failure}
        </p>
      )}
      <div class={`charts ${state.kind === "live" ? "" : "stale"}`}>
        {charts.map((chart) => (
          <LineChart key={chart.title} chart={chart} atMs={history?.atMs ?? []} />
        ))}
      </div>
      {status !== undefined && <Queues queues={status.gauges} />}
      {charts.length > 0 && <Numbers charts={charts} />}
    </>
  );
}

function Choice({ name, choices }: { readonly name: string; readonly choices: readonly Party[] }) {
  return (
    <label class="choice">
      Show
      <select
        value={name}
        onChange={({ currentTarget }) => {
          location.hash = fragmentOf("region", currentTarget.value);
        }}
      >
        {choices.map((each) => (
          <option key={each.name} value={each.name} disabled={!each.isThere}>
            {each.name}
            {each.isThere ? "" : " (gone)"}
          </option>
        ))}
        <option value={DIRECTORY}>{DIRECTORY}</option>
      </select>
    </label>
  );
}

/** The status, asked for anew with each point of the history. */
function useStatus(id: string | undefined, atMs: number | undefined): Status | undefined {
  const [status, setStatus] = useState<Status>();
  useEffect(() => {
    const controller = new AbortController();
    api.json<Status>("GET", pathAt(id, "/status"), { signal: controller.signal }).then(
      setStatus,
      // The stream of the history says what is wrong.
      () => {},
    );
    return () => controller.abort();
  }, [id, atMs]);
  return status;
}

/** The same numbers for who does not see the charts. */
function Numbers({ charts }: { readonly charts: readonly Chart[] }) {
  return (
    <details class="card numbers">
      <summary>The last hour as numbers</summary>
      <FactsTable
        label="The last hour as numbers"
        columns={["Of", numberColumn("Now"), numberColumn("Lowest"), numberColumn("Highest")]}
        isCard={false}
      >
        {charts.flatMap(({ title, unit, lines }) =>
          lines.map(({ label, numbers }) => {
            const { now, lowest, highest } = extentOf(numbers);
            return (
              <tr key={`${title} ${label}`}>
                <th scope="row">
                  {title}: {label}
                </th>
                <td class="number">{amountText(now, unit)}</td>
                <td class="number">{amountText(lowest, unit)}</td>
                <td class="number">{amountText(highest, unit)}</td>
              </tr>
            );
          }),
        )}
      </FactsTable>
    </details>
  );
}
