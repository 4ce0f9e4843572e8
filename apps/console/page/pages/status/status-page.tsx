/** What the program says of itself, number by number. */
import { useEffect, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { flatten } from "./flatten.ts";

/** The answer of `/status` as a table. */
export function StatusPage() {
  const changes = useStore(tokenChanges);
  const [asked, setAsked] = useState(0);
  const [status, setStatus] = useState<unknown>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    api.json<unknown>("GET", "/status", { signal: controller.signal }).then(
      (answer) => {
        setStatus(answer);
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
        <button type="button" onClick={() => setAsked(asked + 1)}>
          Ask again
        </button>
      </div>
      {failure !== undefined && (
        <p class="notice" role="alert">
          {failure}
        </p>
      )}
      <div class="scroll card" tabIndex={0} role="region" aria-label="All numbers">
        <table class="facts">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Value</th>
            </tr>
          </thead>
          <tbody>
            {flatten(status).map(([name, value]) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                </th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
