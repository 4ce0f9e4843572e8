/** What can be done with a key, at the region that is shown; what is written there goes to all. */
import { useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { removeKey, setKey, touchKey, type KeyAt, type NewValue } from "./changes.ts";
import type { AskedRegion } from "./entries.ts";

/** Setting, touching and deleting. */
export function EntryActions({
  name,
  region,
  onDone,
}: {
  readonly name: string;
  readonly region: AskedRegion;
  readonly onDone: () => void;
}) {
  const [said, setSaid] = useState("");
  const [failure, setFailure] = useState<string>();
  const run = async (change: Promise<string>): Promise<void> => {
    setSaid("");
    setFailure(undefined);
    try {
      setSaid(await change);
      onDone();
    } catch (cause) {
      setFailure(messageOf(cause));
    }
  };
  return (
    <section class="card part" aria-labelledby="change-title">
      <h2 id="change-title">
        Change it at <bdi>{region.name}</bdi>
      </h2>
      <ChangeForm at={{ key: name, id: region.id }} run={(change) => void run(change)} />
      <p role="status">{said}</p>
      {failure !== undefined && (
        <p class="warning" role="alert">
          {failure}
        </p>
      )}
    </section>
  );
}

function ChangeForm({
  at,
  run,
}: {
  readonly at: KeyAt;
  readonly run: (change: Promise<string>) => void;
}) {
  const [given, setGiven] = useState<NewValue>({ value: "", type: "text/plain", ttl: "" });
  const take = (part: Partial<NewValue>): void => setGiven({ ...given, ...part });
  return (
    <form
      class="page"
      onSubmit={(event) => {
        event.preventDefault();
        run(setKey(at, given));
      }}
    >
      <label>
        Value
        <textarea
          rows={3}
          value={given.value}
          spellcheck={false}
          onInput={({ currentTarget: { value } }) => take({ value })}
        />
      </label>
      <div class="pair">
        <label>
          Type
          <input
            value={given.type}
            onInput={({ currentTarget: { value } }) => take({ type: value })}
          />
        </label>
        <label>
          Lives for
          <input
            value={given.ttl}
            placeholder="for ever, or 15m"
            onInput={({ currentTarget: { value } }) => take({ ttl: value })}
          />
        </label>
      </div>
      <Buttons onTouch={() => run(touchKey(at, given))} onRemove={() => run(removeKey(at))} />
    </form>
  );
}

/** A delete is asked for twice. */
function Buttons({
  onTouch,
  onRemove,
}: {
  readonly onTouch: () => void;
  readonly onRemove: () => void;
}) {
  const [isSure, setIsSure] = useState(false);
  if (isSure) {
    return (
      <div class="actions">
        <button type="button" onClick={() => setIsSure(false)}>
          Keep it
        </button>
        <button
          type="button"
          class="danger"
          onClick={() => {
            setIsSure(false);
            onRemove();
          }}
        >
          Delete everywhere
        </button>
      </div>
    );
  }
  return (
    <div class="actions">
      <button type="button" onClick={() => setIsSure(true)}>
        Delete …
      </button>
      <button type="button" title="Changes when it expires, and nothing else" onClick={onTouch}>
        Touch
      </button>
      <button type="submit" class="primary">
        Set
      </button>
    </div>
  );
}
