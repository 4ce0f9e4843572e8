/** What every region has of a key, side by side. */
import { useEffect, useState } from "preact/hooks";
import { FactsTable } from "../../parts/facts-table.tsx";

import { amountText } from "../region/amounts.ts";
import { leftText, type AskedRegion, type Report } from "./entries.ts";

const COLUMNS = ["Region", "State", "Version", "Written", "Expires", "Where", "Size"];

/** The table; the chosen region is the one whose value is shown. */
export function EntryTable({
  regions,
  newest,
  chosen,
  onChoose,
}: {
  readonly regions: readonly AskedRegion[];
  readonly newest: string | undefined;
  readonly chosen: string;
  readonly onChoose: (name: string) => void;
}) {
  const nowMs = useSeconds();
  return (
    <FactsTable label="The key in every region" columns={COLUMNS} kind="entries">
      {regions.map(({ name, report, failure, aheadMs }) => (
        <tr key={name} class={name === chosen ? "selected" : ""} data-stale={failure !== undefined}>
          <th scope="row">
            <button
              type="button"
              class="link"
              aria-pressed={name === chosen}
              onClick={() => onChoose(name)}
            >
              <bdi>{name}</bdi>
            </button>
          </th>
          {report === undefined ? (
            <td colSpan={6}>{failure ?? "Asking …"}</td>
          ) : (
            <Cells
              report={report}
              isStale={failure !== undefined}
              newest={newest}
              nowMs={nowMs + aheadMs}
            />
          )}
        </tr>
      ))}
    </FactsTable>
  );
}

function Cells({
  report,
  isStale,
  newest,
  nowMs,
}: {
  readonly report: Report;
  /** Whether the region was asked again since, and has not answered. */
  readonly isStale: boolean;
  readonly newest: string | undefined;
  readonly nowMs: number;
}) {
  const { state, stamp, writtenAtMs, expiresAtMs, tier, bytes } = report;
  const isOver = state === "live" && expiresAtMs !== null && expiresAtMs <= nowMs;
  return (
    <>
      <td>
        <span class={`state is-${isOver ? "expired" : state}`}>{isOver ? "expired" : state}</span>
        {isStale && <span class="hint"> as last told</span>}
      </td>
      <td>
        {stamp === null ? (
          "none"
        ) : (
          <>
            <code>{stamp}</code>{" "}
            <span class={stamp === newest ? "hint" : "older"}>
              {stamp === newest ? "newest" : "older"}
            </span>
          </>
        )}
      </td>
      <td>{writtenAtMs === null ? "" : momentText(writtenAtMs)}</td>
      <td>
        {expiresAtMs === null ? (stamp === null ? "" : "never") : leftText(expiresAtMs - nowMs)}
      </td>
      <td>{tier === null ? "" : tier === "memory" ? "in memory" : "on disk"}</td>
      <td>{bytes === null ? "" : amountText(bytes, "bytes")}</td>
    </>
  );
}

/** A moment to the millisecond. */
export function momentText(ms: number): string {
  const at = new Date(ms);
  const time = at.toLocaleTimeString("en-GB");
  const isToday = at.toDateString() === new Date().toDateString();
  const thousandths = String(at.getMilliseconds()).padStart(3, "0");
  return `${isToday ? "" : `${at.toLocaleDateString()} `}${time}.${thousandths}`;
}

/** The time, second by second. */
function useSeconds(): number {
  const [nowMs, setNowMs] = useState(Date.now());
  useEffect(() => {
    const interval = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(interval);
  }, []);
  return nowMs;
}
