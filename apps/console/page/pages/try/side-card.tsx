/** One of the two regions: its link, what it holds, and what can be written there. */
import { useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { InertText } from "../keys/inert-text.tsx";
import type { Holding } from "./agreement.ts";
import { bend, removeAt, setAt, type PlaygroundRegion } from "./playground.ts";

/** A region to try things at. */
export function SideCard({
  label,
  region,
  regions,
  keyName,
  holding,
  failure,
  onChoose,
  onWritten,
}: {
  readonly label: string;
  readonly region: PlaygroundRegion;
  readonly regions: readonly PlaygroundRegion[];
  readonly keyName: string;
  readonly holding: Holding | undefined;
  readonly failure: string | undefined;
  readonly onChoose: (id: string) => void;
  readonly onWritten: () => void;
}) {
  const [refusal, setRefusal] = useState<string>();
  const run = (work: Promise<void>): void => {
    work.then(
      () => {
        setRefusal(undefined);
        onWritten();
      },
      (cause: unknown) => setRefusal(messageOf(cause)),
    );
  };
  return (
    <section class="card part try-side" data-region={region.id} aria-label={label}>
      <label class="choice">
        {label}
        <select value={region.id} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
          {regions.map(({ id }) => (
            <option key={id} value={id}>
              {id}
            </option>
          ))}
        </select>
      </label>
      <LinkRow region={region} holding={holding} run={run} />
      <WriteForm
        onSet={(value) => run(setAt(region.id, keyName, value))}
        onRemove={() => run(removeAt(region.id, keyName))}
      />
      {[refusal, failure].map(
        (said) =>
          said !== undefined && (
            <p key={said} class="warning" role="alert">
              {said.slice(0, 400)}
            </p>
          ),
      )}
      <Held holding={holding} />
    </section>
  );
}

function LinkRow({
  region: { id, healsAtMs },
  holding,
  run,
}: {
  readonly region: PlaygroundRegion;
  readonly holding: Holding | undefined;
  readonly run: (work: Promise<void>) => void;
}) {
  const isCut = healsAtMs !== null;
  return (
    <div class="heading">
      <p role="status" class={`try-link ${isCut ? "is-cut" : ""}`}>
        {isCut
          ? `Cut off. It heals by itself at ${new Date(healsAtMs).toLocaleTimeString()}, or when this page is closed.`
          : holding?.isLinked === false
            ? "Not linked to its directory yet."
            : "Linked to its directory."}
        {holding !== undefined && holding.pending > 0 && (
          <span class="hint">
            {" "}
            {writesText(holding.pending)} {holding.isLinked ? "to be taken" : "until it is linked"}.
          </span>
        )}
      </p>
      <button type="button" onClick={() => run(bend(id, isCut ? "heal" : "cut"))}>
        {isCut ? "Heal its link" : "Cut its link"}
      </button>
    </div>
  );
}

function writesText(count: number): string {
  return count === 1 ? "1 write waits" : `${count.toLocaleString("en")} writes wait`;
}

function WriteForm({
  onSet,
  onRemove,
}: {
  readonly onSet: (value: string) => void;
  readonly onRemove: () => void;
}) {
  const [value, setValue] = useState("");
  return (
    <form
      class="try-write"
      onSubmit={(event) => {
        event.preventDefault();
        onSet(value);
      }}
    >
      <label>
        Value
        <input
          value={value}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setValue(currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary">
        Set here
      </button>
      <button type="button" onClick={onRemove}>
        Delete here
      </button>
    </form>
  );
}

function Held({ holding }: { readonly holding: Holding | undefined }) {
  if (holding === undefined) return <p class="hint">Reading …</p>;
  const { report, value } = holding;
  const { state, stamp, changes } = report;
  const last = changes?.findLast((change) => change.stamp === stamp);
  return (
    <dl class="pairs try-held">
      <div>
        <dt>Holds</dt>
        <dd data-testid="held">
          {value !== undefined ? (
            <InertText
              text={value.encoding === "utf8" ? value.value : `bytes, as Base64 ${value.value}`}
            />
          ) : state === "live" ? (
            "a value that is too long for here"
          ) : (
            `nothing: ${state}`
          )}
        </dd>
      </div>
      <div>
        <dt>Version</dt>
        <dd>
          {stamp ?? "none"}
          {last !== undefined && (
            <span class="hint">
              {last.writtenHere
                ? " written here"
                : ` from elsewhere, ${Math.max(0, Math.round(last.atMs - last.writtenAtMs))} ms after it was written`}
            </span>
          )}
        </dd>
      </div>
    </dl>
  );
}
