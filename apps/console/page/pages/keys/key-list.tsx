/** The keys of a region in their order, from a prefix on. */
import { useEffect, useMemo, useState } from "preact/hooks";

import type { RegionAnswer } from "../../api/answers.ts";
import { messageOf } from "../../api/api.ts";
import { GoneRegion, RegionChoice, useChosen } from "../../parties/region-choice.tsx";
import { pathAt, type Party } from "../../parties/views.ts";
import { fragmentOf } from "../../shell/place.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { amountText } from "../region/amounts.ts";
import { groupsOf } from "./entries.ts";
import { InertText } from "./inert-text.tsx";

type Page = RegionAnswer<"/keys">;

interface Asked {
  readonly region: Party;
  readonly prefix: string;
}

const GROUPS_MAX = 24;

/** What was last looked for: who comes back from an entry finds it again. */
let lastPrefix = "";

/** The form, and the keys that were found. */
export function KeyList({ regions }: { readonly regions: readonly Party[] }) {
  const [prefix, setPrefix] = useState(lastPrefix);
  const chosen = useChosen(regions);
  const { name, region } = chosen;
  const tokens = useStore(tokenChanges);
  const [asked, setAsked] = useState(lastPrefix);
  const look = (wanted: string): void => {
    lastPrefix = wanted;
    setPrefix(wanted);
    setAsked(wanted);
  };
  return (
    <section class="page" aria-labelledby="keys-title">
      <h1 id="keys-title">Keys</h1>
      <form
        class="card search"
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          look(prefix);
        }}
      >
        <label>
          Keys that begin with
          <input
            type="search"
            value={prefix}
            autocomplete="off"
            spellcheck={false}
            onInput={({ currentTarget }) => setPrefix(currentTarget.value)}
          />
        </label>
        <RegionChoice label="In" regions={regions} chosen={chosen} />
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
      {region === undefined ? (
        <GoneRegion name={name} />
      ) : (
        // Another token begins anew: what has been read is not to be there twice.
        <Found
          key={`${tokens} ${region.name} ${asked}`}
          region={region}
          prefix={asked}
          onPrefix={look}
        />
      )}
    </section>
  );
}

function Found({
  region,
  prefix,
  onPrefix,
}: Asked & { readonly onPrefix: (prefix: string) => void }) {
  const { keys, hasMore, more, failure, isReading } = useKeys({ region, prefix });
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
        {isReading ? "Reading …" : countText(keys.length, hasMore)}
      </p>
      {keys.length > 0 && (
        <KeyTable keys={keys} more={hasMore ? more : undefined} isReading={isReading} />
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
  readonly keys: Page["keys"];
  readonly more: (() => void) | undefined;
  readonly isReading: boolean;
}) {
  return (
    <div class="scroll card" tabIndex={0} role="region" aria-label="Keys">
      <table class="facts keys">
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col" class="number">
              Size
            </th>
            <th scope="col">Type</th>
            <th scope="col">Expires</th>
          </tr>
        </thead>
        <tbody>
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
        </tbody>
      </table>
      {more !== undefined && (
        <button type="button" class="more" disabled={isReading} onClick={more}>
          Show more
        </button>
      )}
    </div>
  );
}

function countText(count: number, hasMore: boolean): string {
  if (count === 0) return "No key begins like that.";
  return `${count.toLocaleString("en")}${hasMore ? " and more" : ""} ${count === 1 ? "key" : "keys"}`;
}

/** The keys page by page. */
function useKeys({ region: { id }, prefix }: Asked) {
  const [keys, setKeys] = useState<Page["keys"]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [wanted, setWanted] = useState<{ readonly after: string | undefined }>({
    after: undefined,
  });
  const [isReading, setIsReading] = useState(true);
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    const controller = new AbortController();
    const { after } = wanted;
    setIsReading(true);
    const query = { prefix, after, limit: 100 };
    api
      .json<Page>("GET", pathAt(id, "/keys"), { query, signal: controller.signal })
      .then(
        (page) => {
          setKeys((before) => (after === undefined ? page.keys : [...before, ...page.keys]));
          setNext(page.next);
          setFailure(undefined);
        },
        (cause: unknown) => {
          if (!controller.signal.aborted) setFailure(messageOf(cause));
        },
      )
      .finally(() => {
        if (!controller.signal.aborted) setIsReading(false);
      });
    return () => controller.abort();
  }, [id, prefix, wanted]);
  const more = (): void => {
    if (next !== null) setWanted({ after: next });
  };
  return { keys, hasMore: next !== null, more, failure, isReading };
}
