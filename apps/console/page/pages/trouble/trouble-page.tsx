/** What is wrong, and what to do about it; and what waits for somebody's decision. */
import { useCallback, useEffect, useState } from "preact/hooks";

import type { DirectoryAnswer } from "../../api/answers.ts";
import { messageOf } from "../../api/api.ts";
import { useRegions } from "../../parties/use-nodes.ts";
import { fragmentOf } from "../../shell/place.ts";
import { api, program, tokenChanges } from "../../shell/session.ts";
import "../../styles/trouble.css";
import { InertText } from "../keys/inert-text.tsx";
import { Quarantine } from "./quarantine.tsx";
import { Verify } from "./verify.tsx";

type Trouble = DirectoryAnswer<"/trouble">;
type Complaint = Trouble["complaints"][number];

/** An examination asks every program, so it is made anew only so often, in milliseconds. */
const AGAIN_MS = 30_000;

/** Troubles, and the quarantine. */
export function TroublePage() {
  const regions = useRegions();
  const there = regions.filter(({ isThere }) => isThere);
  const { trouble, failure, isLooking, look } = useTrouble(
    regions.map(({ name, isThere }) => `${name} ${isThere}`).join(),
  );
  return (
    <section class="page" aria-labelledby="trouble-title">
      <div class="heading">
        <h1 id="trouble-title">Trouble</h1>
        <div class="live">
          {trouble !== undefined && (
            <span class="hint">
              {askedText(trouble)}, {new Date(trouble.nowMs).toLocaleTimeString()}
            </span>
          )}
          <button type="button" disabled={isLooking} onClick={look}>
            {isLooking ? "Looking …" : "Look again"}
          </button>
        </div>
      </div>
      {failure !== undefined && (
        <p class="warning" role="alert">
          {failure}
        </p>
      )}
      <div role="status">
        {trouble?.complaints.length === 0 && (
          <div class="card well">
            <svg viewBox="0 0 24 24" class="icon" aria-hidden="true">
              <path d="M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12.5l2.7 2.7L16 9.5" />
            </svg>
            <p>
              <strong>Nothing is wrong.</strong>
              <br />
              <span class="hint">
                {program === "region"
                  ? "This region knows of itself alone; its directory knows more."
                  : "Every directory and every region answers and is well."}
              </span>
            </p>
          </div>
        )}
      </div>
      {trouble !== undefined && trouble.complaints.length > 0 && (
        <ul class="complaints">
          {trouble.complaints.map((complaint) => (
            <ComplaintCard
              key={`${complaint.kind} ${complaint.who} ${complaint.what}`}
              complaint={complaint}
              isRegion={regions.some(({ id }) => id === complaint.who)}
            />
          ))}
        </ul>
      )}
      {program === "directory" && <Verify />}
      {there.length > 0 && <Quarantine regions={there} />}
    </section>
  );
}

function ComplaintCard({
  complaint: { kind, who, what, remedy },
  isRegion,
}: {
  readonly complaint: Complaint;
  readonly isRegion: boolean;
}) {
  return (
    <li class="card complaint" data-kind={kind}>
      <p class="who">
        {isRegion ? (
          <a href={fragmentOf("region", who)}>
            <bdi>{who}</bdi>
          </a>
        ) : (
          <bdi>{who}</bdi>
        )}
        <span class="hint"> {kind.replaceAll("-", " ")}</span>
      </p>
      <p>
        <Sentence text={what} />
      </p>
      <p class="remedy">
        <Sentence text={remedy} />
      </p>
    </li>
  );
}

/** A sentence with its code between backticks. */
function Sentence({ text }: { readonly text: string }) {
  return (
    <>
      {text.split("`").map((part, at) =>
        at % 2 === 0 ? (
          <InertText key={at} text={part} />
        ) : (
          <code key={at}>
            <InertText text={part} />
          </code>
        ),
      )}
    </>
  );
}

function askedText({ directories, nodes }: Trouble): string {
  const counted = (count: number, one: string, many: string): string =>
    `${count} ${count === 1 ? one : many}`;
  if (directories === 0) return "Asked this region";
  return `Asked ${counted(directories, "directory", "directories")} and ${counted(nodes, "region", "regions")}`;
}

/** The troubles: looked for at first, when regions come or go, and from time to time while somebody looks. */
function useTrouble(regions: string) {
  const [trouble, setTrouble] = useState<Trouble>();
  const [failure, setFailure] = useState<string>();
  const [looks, setLooks] = useState(0);
  const [isLooking, setIsLooking] = useState(false);
  const look = useCallback(() => setLooks((count) => count + 1), []);
  useEffect(() => {
    const controller = new AbortController();
    setIsLooking(true);
    api
      .json<Trouble>("GET", "/trouble", { signal: controller.signal })
      .then(
        (told) => {
          setTrouble(told);
          setFailure(undefined);
        },
        (cause: unknown) => {
          if (!controller.signal.aborted) setFailure(messageOf(cause));
        },
      )
      .finally(() => {
        if (!controller.signal.aborted) setIsLooking(false);
      });
    return () => controller.abort();
  }, [looks, regions]);
  useEffect(() => {
    const lookIfSeen = (): void => {
      if (!document.hidden) look();
    };
    const interval = setInterval(lookIfSeen, AGAIN_MS);
    document.addEventListener("visibilitychange", lookIfSeen);
    const unlisten = tokenChanges.listen(look);
    return () => {
      clearInterval(interval);
      document.removeEventListener("visibilitychange", lookIfSeen);
      unlisten();
    };
  }, [look]);
  return { trouble, failure, isLooking, look };
}
