/** Drills: one fault under load, with the promises ticked off as they go. */
import { useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { api } from "../../shell/session.ts";
import { countsText, phaseText, PROMISE_LOOKS } from "./drill-words.ts";
import type { DrillState, PlaygroundState } from "./playground.ts";

/** Starts drills, and shows the last one. */
export function DrillCard({ drills, drill }: Pick<PlaygroundState, "drills" | "drill">) {
  const [chosen, setChosen] = useState("cut");
  const [failure, setFailure] = useState<string>();
  const isRunning = drill !== null && drill.outcome === null;
  const run = (): void => {
    const asked = isRunning
      ? api.send("DELETE", "/dev/drill")
      : api.send("POST", "/dev/drill", { query: { name: chosen } });
    asked.then(
      () => setFailure(undefined),
      (cause: unknown) => setFailure(messageOf(cause)),
    );
  };
  return (
    <section class="card part" aria-labelledby="drill-title" data-testid="drill">
      <h2 id="drill-title">Drills</h2>
      <p class="hint">
        A drill puts the cluster under load, causes one fault and repairs it, and checks what was
        promised. It deletes what it has written.
      </p>
      <form
        class="try-write"
        onSubmit={(event) => {
          event.preventDefault();
          run();
        }}
      >
        <label>
          What happens
          <select
            value={chosen}
            disabled={isRunning}
            onChange={({ currentTarget }) => setChosen(currentTarget.value)}
          >
            {drills.map(({ name, story }) => (
              <option key={name} value={name}>
                {name}: {story}
              </option>
            ))}
          </select>
        </label>
        <button type="submit" class={isRunning ? "" : "primary"}>
          {isRunning ? "Stop" : "Run it"}
        </button>
      </form>
      {failure !== undefined && (
        <p class="warning" role="alert">
          {failure.slice(0, 400)}
        </p>
      )}
      {drill !== null && <Course drill={drill} />}
    </section>
  );
}

function Course({ drill }: { readonly drill: DrillState }) {
  const { story, phase, counts, promises, violations, outcome } = drill;
  return (
    <>
      <p role="status">
        <strong>
          <bdi>{outcome ?? `${phaseText(phase)}: ${story}.`}</bdi>
        </strong>
      </p>
      {counts !== null && <p class="hint">{countsText(counts)}</p>}
      <ul class="try-promises">
        {promises.map(({ text, state }) => (
          <li key={text} class={`is-${state}`} data-state={state}>
            <svg viewBox="0 0 24 24" class="icon" aria-hidden="true">
              <path d={PROMISE_LOOKS[state].icon} />
            </svg>
            <span>
              {text} <span class="hint">{PROMISE_LOOKS[state].word}</span>
            </span>
          </li>
        ))}
      </ul>
      {violations.map((violation) => (
        <p key={violation} class="warning">
          <bdi>{violation.slice(0, 400)}</bdi>
        </p>
      ))}
    </>
  );
}
