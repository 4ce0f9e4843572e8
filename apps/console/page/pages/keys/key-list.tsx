/** The keys of a region in their order, from a prefix on. */
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { messageOf } from "../../api/api.ts";
import { GoneRegion, RegionChoice, useChosen } from "../../parties/region-choice.tsx";
import { pathAt, type Party } from "../../parties/views.ts";
import { fragmentOf } from "../../shell/place.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { FactsTable, numberColumn } from "../../parts/facts-table.tsx";
import { amountText } from "../region/amounts.ts";
import { groupsOf } from "./entries.ts";
import { InertText } from "./inert-text.tsx";
import {
  countText,
  findKeys,
  type FoundKeys,
  type KeyPage,
  type KeyQuestion,
  type ReadKeys,
} from "./key-search.ts";

interface Asked extends KeyQuestion {
  readonly region: Party;
}

const GROUPS_MAX = 24;

/** What was last looked for: who comes back from an entry finds it again. */
let last: KeyQuestion = { prefix: "", part: "" };

/** The form, and the keys that were found. */
export function KeyList({ regions }: { readonly regions: readonly Party[] }) {
  const [given, setGiven] = useState(last);
  const chosen = useChosen(regions);
  const { name, region } = chosen;
  const tokens = useStore(tokenChanges);
  const [asked, setAsked] = useState(last);
  const look = (wanted: KeyQuestion): void => {
    last = wanted;
    setGiven(wanted);
    setAsked(wanted);
  };
  return (
    <section class="page" aria-labelledby="keys-title">
      <h1 id="keys-title">Keys</h1>
      <SearchForm
        given={given}
        onGiven={setGiven}
        onLook={look}
        choice={<RegionChoice label="In" regions={regions} chosen={chosen} />}
      />
      {region === undefined ? (
        <GoneRegion name={name} />
      ) : (
        // Another token begins anew: what has been read is not to be there twice.
        <Found
          key={JSON.stringify([tokens, region.name, asked])}
          region={region}
          {...asked}
          onPrefix={(narrower) => look({ prefix: narrower, part: asked.part })}
        />
      )}
    </section>
  );
}

/** What to look for. What is looked for at present is not changed by what is being typed. */
function SearchForm({
  given: { prefix, part },
  onGiven,
  onLook,
  choice,
}: {
  readonly given: KeyQuestion;
  readonly onGiven: (question: KeyQuestion) => void;
  readonly onLook: (question: KeyQuestion) => void;
  readonly choice: ComponentChildren;
}) {
  return (
    <form
      class="card search"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        onLook({ prefix, part });
      }}
    >
      <label>
        Keys that begin with
        <input
          type="search"
          value={prefix}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => onGiven({ prefix: currentTarget.value, part })}
        />
      </label>
      <label>
        And contain
        <input
          type="search"
          value={part}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => onGiven({ prefix, part: currentTarget.value })}
        />
      </label>
      {choice}
      <div class="actions">
        <button type="submit" class="primary">
          List
        </button>
        <a
          class="button"
          href={fragmentOf("keys", "entry", prefix)}
          aria-disabled={prefix === ""}
          onClick={(event) => {
            if (prefix === "") event.preventDefault();
          }}
        >
          Open as a key
        </a>
      </div>
    </form>
  );
}

function Found({
  region,
  prefix,
  part,
  onPrefix,
}: Asked & { readonly onPrefix: (prefix: string) => void }) {
  const { found, more, failure, isReading } = useKeys({ region, prefix, part });
  const { keys, next } = found;
  const hasMore = next !== null;
  const groups = useMemo(
    () =>
      groupsOf(
        keys.map(({ key }) => key),
        prefix,
      ).slice(0, GROUPS_MAX),
    [keys, prefix],
  );
  return (
    <>
      {failure !== undefined && (
        <p class="warning" role="alert">
          {failure}
        </p>
      )}
      <Groups groups={groups} hasMore={hasMore} onPrefix={onPrefix} />
      <p class="hint" role="status">
        {isReading ? "Reading …" : countText(found, { prefix, part })}
      </p>
      {keys.length > 0 && (
        <KeyTable keys={keys} more={hasMore ? more : undefined} isReading={isReading} />
      )}
      {keys.length === 0 && hasMore && (
        <button type="button" disabled={isReading} onClick={more}>
          Look on
        </button>
      )}
    </>
  );
}

function Groups({
  groups,
  hasMore,
  onPrefix,
}: {
  readonly groups: ReturnType<typeof groupsOf>;
  readonly hasMore: boolean;
  readonly onPrefix: (prefix: string) => void;
}) {
  if (groups.length === 0) return null;
  return (
    <ul class="groups" aria-label="Narrow down to">
      {groups.map(([group, count]) => (
        <li key={group}>
          <button type="button" onClick={() => onPrefix(group)}>
            <InertText text={group} />
            <span class="hint">
              {count}
              {hasMore ? "+" : ""}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function KeyTable({
  keys,
  more,
  isReading,
}: {
  readonly keys: KeyPage["keys"];
  readonly more: (() => void) | undefined;
  readonly isReading: boolean;
}) {
  return (
    <FactsTable
      label="Keys"
      columns={["Key", numberColumn("Size"), "Type", "Expires"]}
      kind="keys"
      foot={
        more !== undefined && (
          <button type="button" class="more" disabled={isReading} onClick={more}>
            Show more
          </button>
        )
      }
    >
      {keys.map(({ key, bytes, contentType, expiresAtMs }) => (
        <tr key={key}>
          <th scope="row">
            <a href={fragmentOf("keys", "entry", key)}>
              <InertText text={key} />
            </a>
          </th>
          <td class="number">{amountText(bytes, "bytes")}</td>
          <td>
            <InertText text={contentType.slice(0, 80)} />
          </td>
          <td>{expiresAtMs === null ? "never" : new Date(expiresAtMs).toLocaleString()}</td>
        </tr>
      ))}
    </FactsTable>
  );
}

const NONE: FoundKeys = { keys: [], next: null, looked: 0 };

/** The keys page by page. */
function useKeys({ region: { id }, prefix, part }: Asked) {
  const [found, setFound] = useState(NONE);
  const [wanted, setWanted] = useState<{ readonly after: string | undefined }>({
    after: undefined,
  });
  const [isReading, setIsReading] = useState(true);
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const { after } = wanted;
    setIsReading(true);
    const read: ReadKeys = (from, limit) => {
      const query = { prefix, after: from, limit };
      return api.json<KeyPage>("GET", pathAt(id, "/keys"), { query, signal });
    };
    findKeys(read, { part }, after)
      .then(
        ({ keys, next, looked }) => {
          if (signal.aborted) return;
          setFound((before) => ({
            keys: after === undefined ? keys : [...before.keys, ...keys],
            next,
            looked: after === undefined ? looked : before.looked + looked,
          }));
          setFailure(undefined);
        },
        (cause: unknown) => {
          if (!signal.aborted) setFailure(messageOf(cause));
        },
      )
      .finally(() => {
        if (!signal.aborted) setIsReading(false);
      });
    return () => controller.abort();
  }, [id, prefix, part, wanted]);
  const more = (): void => {
    if (found.next !== null) setWanted({ after: found.next });
  };
  return { found, more, failure, isReading };
}
