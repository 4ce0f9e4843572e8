/** One key: what every region has of it, its value, its way, and what can be done with it. */
import { useEffect, useRef, useState } from "preact/hooks";

import { ApiProblem, messageOf } from "../../api/api.ts";
import { pathAt, type Party } from "../../parties/views.ts";
import { api, tokenChanges } from "../../shell/session.ts";
import { useStore } from "../../store.ts";
import { LiveMark } from "../map/live-mark.tsx";
import { EntryActions } from "./entry-actions.tsx";
import { newestOf, wayOf, type AskedRegion } from "./entries.ts";
import { EntryTable } from "./entry-table.tsx";
import { InertText } from "./inert-text.tsx";
import { useEntry } from "./use-entry.ts";
import { ValuePanel } from "./value-panel.tsx";
import type { ToldValue } from "./value.ts";
import { WayPanel } from "./way-panel.tsx";

/** The page of a key. */
export function EntryView({
  name,
  regions,
  back,
}: {
  readonly name: string;
  readonly regions: readonly Party[];
  readonly back: string;
}) {
  const { told, state, again, askSoon } = useEntry(name, regions);
  const [chosen, setChosen] = useState<string>();
  const holders = told.filter(({ report }) => report?.state === "live");
  const shown = told.find((region) => region.name === chosen) ??
    holders[0] ??
    told[0] ?? { name: "", aheadMs: 0, id: undefined };
  const newest = newestOf(told);
  return (
    <section class="page" aria-labelledby="entry-title">
      <p>
        <a href={back}>All keys</a>
      </p>
      <div class="heading">
        <h1 id="entry-title" class="key">
          <InertText text={name} />
        </h1>
        <LiveMark state={state} again={again} />
      </div>
      <EntryTable regions={told} newest={newest} chosen={shown.name} onChoose={setChosen} />
      <div class="entry-layout">
        <section class="card part" aria-labelledby="value-title">
          <h2 id="value-title">
            Value in <bdi>{shown.name}</bdi>
          </h2>
          <Value key={`${shown.name} ${name}`} name={name} region={shown} />
        </section>
        <div class="page">
          <WayPanel way={wayOf(told, newest)} isThere={newest !== undefined} />
          <EntryActions name={name} region={shown} onDone={askSoon} />
        </div>
      </div>
    </section>
  );
}

/** The value, read anew when there is another one. */
function Value({
  name,
  region: { id, report, failure: regionFailure },
}: {
  readonly name: string;
  readonly region: AskedRegion;
}) {
  const tokens = useStore(tokenChanges);
  const [told, setTold] = useState<ToldValue>();
  const [failure, setFailure] = useState<string>();
  const version = report?.state === "live" ? report.etag : report?.state;
  const hasFailed = useRef(false);
  const [retries, setRetries] = useState(0);
  useEffect(() => {
    if (hasFailed.current) setRetries((count) => count + 1);
  }, [report]);
  useEffect(() => {
    hasFailed.current = false;
    if (report?.state !== "live") {
      setTold(undefined);
      setFailure(undefined);
      return;
    }
    const controller = new AbortController();
    const options = { query: { key: name }, signal: controller.signal };
    api.json<ToldValue>("GET", pathAt(id, "/cache"), options).then(
      (value) => {
        setTold(value);
        setFailure(undefined);
      },
      (cause: unknown) => {
        if (controller.signal.aborted) return;
        hasFailed.current = true;
        setTold(undefined);
        setFailure(failureText(cause));
      },
    );
    return () => controller.abort();
  }, [name, id, version, tokens, retries]);
  if (failure !== undefined) return <p class="warning">{failure}</p>;
  if (told !== undefined) return <ValuePanel key={version} told={told} />;
  return <p class="notice">{regionFailure ?? absentText(report?.state)}</p>;
}

function absentText(state: string | undefined): string {
  if (state === undefined || state === "live") return "Reading …";
  return state === "absent" ? "There is no value here." : `The value is ${state}.`;
}

function failureText(cause: unknown): string {
  if (cause instanceof ApiProblem && cause.code === "KEY_NOT_FOUND") return "It has just gone.";
  return messageOf(cause);
}
