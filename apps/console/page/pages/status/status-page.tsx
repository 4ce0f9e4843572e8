/** What the program says of itself, number by number. */
import { useEffect, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { FactsTable } from "../../parts/facts-table.tsx";
import { flatten } from "./flatten.ts";

/** The answer of `/status` as a table. */
export function StatusPage() {
  const changes = useStore(tokenChanges);
  const [asked, setAsked] = useState(0);
  const [told, setTold] = useState<{ readonly status: unknown; readonly atMs: number }>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    api.json<unknown>("GET", "/status", { signal: controller.signal }).then(
      (answer) => {
        setTold({ status: answer, atMs: Date.now() });
        setFailure(undefined);
      },
      (cause: unknown) => {
        if (!controller.signal.aborted) setFailure(messageOf(cause));
      },
    );
    return () => controller.abort();
  }, [asked, changes]);
  return (
    <section class="page" aria-labelledby="status-title">
      <div class="heading">
        <h1 id="status-title">Status</h1>
        <div class="live">
          {told !== undefined && (
            <span class="hint">{new Date(told.atMs).toLocaleTimeString()}</span>
          )}
          <button type="button" onClick={() => setAsked(asked + 1)}>
            Ask again
          </button>
        </div>
      </div>
      {failure !== undefined && (
        <p class="notice" role="alert">
          {failure}
        </p>
      )}
      <FactsTable label="All numbers" columns={["Name", "Value"]}>
        {flatten(told?.status).map(([name, value]) => (
          <tr key={name}>
            <th scope="row">
              <code>{name}</code>
            </th>
            <td>{value}</td>
          </tr>
        ))}
      </FactsTable>
    </section>
  );
}
