/** What the cluster deleted while a region was away: somebody decides whether it comes back. */
import { useEffect, useState } from "preact/hooks";

import type { RegionAnswer } from "../../api/answers.ts";
import { ApiProblem, messageOf } from "../../api/api.ts";
import { GoneRegion, RegionChoice, useChosen } from "../../parties/region-choice.tsx";
import { pathAt, type Party } from "../../parties/views.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { FactsTable, numberColumn } from "../../parts/facts-table.tsx";
import { InertText } from "../keys/inert-text.tsx";
import { amountText } from "../region/amounts.ts";

type Page = RegionAnswer<"/quarantine">;

/** The quarantine of one region at a time. */
export function Quarantine({ regions }: { readonly regions: readonly Party[] }) {
  const chosen = useChosen(regions);
  const { name, region } = chosen;
  return (
    <section class="card part" aria-labelledby="quarantine-title">
      <div class="heading">
        <h2 id="quarantine-title">Quarantine</h2>
        <RegionChoice label="Of" isBeside regions={regions} chosen={chosen} />
      </div>
      <p class="hint">
        Entries that a region still had when it came back, and that the others had deleted or
        forgotten meanwhile. Replay writes one anew, everywhere; drop forgets it for good.
      </p>
      {region === undefined ? (
        <GoneRegion name={name} />
      ) : (
        <Entries key={region.name} region={region} />
      )}
    </section>
  );
}

function Entries({ region }: { readonly region: Party }) {
  const tokens = useStore(tokenChanges);
  const [page, setPage] = useState<Page>();
  const [changes, setChanges] = useState(0);
  const [said, setSaid] = useState("");
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    const path = pathAt(region.id, "/quarantine");
    api.json<Page>("GET", path, { signal: controller.signal }).then(
      (told) => {
        setPage(told);
        setFailure(undefined);
      },
      (cause: unknown) => {
        if (!controller.signal.aborted) setFailure(failureText(cause));
      },
    );
    return () => controller.abort();
  }, [region.id, changes, tokens]);
  const decide: Decide = (method, id, key) => {
    const rest = method === "POST" ? "/replay" : "";
    api.send(method, pathAt(region.id, `/quarantine/${id}${rest}`)).then(
      () => {
        setSaid(`${key} was ${method === "POST" ? "written anew" : "dropped"}.`);
        setChanges((count) => count + 1);
      },
      (cause: unknown) => setFailure(failureText(cause)),
    );
  };
  return (
    <>
      {failure !== undefined && (
        <p class="warning" role="alert">
          {failure}
        </p>
      )}
      <p role="status">{said !== "" && <InertText text={said} />}</p>
      {page?.size === 0 && <p class="hint">Nothing waits here.</p>}
      {page !== undefined && page.size > 0 && <EntryTable page={page} decide={decide} />}
    </>
  );
}

type Decide = (method: "POST" | "DELETE", id: number, key: string) => void;

function EntryTable({ page, decide }: { readonly page: Page; readonly decide: Decide }) {
  return (
    <FactsTable
      label="Quarantined entries"
      columns={["Key", numberColumn("Size"), "Since", "Decide"]}
      kind="keys"
      isCard={false}
      foot={
        page.next !== null && (
          <p class="hint">
            {page.size - page.entries.length} more come when these have been decided.
          </p>
        )
      }
    >
      {page.entries.map(({ id, key, bytes, quarantinedAtMs }) => (
        <tr key={id}>
          <th scope="row">
            <InertText text={key} />
          </th>
          <td class="number">{amountText(bytes, "bytes")}</td>
          <td>{new Date(quarantinedAtMs).toLocaleString()}</td>
          <td>
            <Decision
              onReplay={() => decide("POST", id, key)}
              onDrop={() => decide("DELETE", id, key)}
            />
          </td>
        </tr>
      ))}
    </FactsTable>
  );
}

function Decision({
  onReplay,
  onDrop,
}: {
  readonly onReplay: () => void;
  readonly onDrop: () => void;
}) {
  const [isSure, setIsSure] = useState(false);
  return (
    <div class="decision">
      <button type="button" onClick={onReplay}>
        Replay
      </button>
      {isSure ? (
        <button type="button" class="danger" onClick={onDrop}>
          Drop for good
        </button>
      ) : (
        <button type="button" onClick={() => setIsSure(true)}>
          Drop …
        </button>
      )}
    </div>
  );
}

function failureText(cause: unknown): string {
  if (cause instanceof ApiProblem && cause.isAboutToken) {
    return "The quarantine needs a token of scope admin.";
  }
  return messageOf(cause);
}
