import type { FeedState } from "../../api/feed.ts";
import { wishForToken } from "../../shell/session.ts";

const WORDS: Readonly<Record<FeedState["kind"], string>> = {
  connecting: "Connecting …",
  live: "Live",
  lost: "Not live",
  refused: "Needs a token",
  resting: "Resting while hidden",
};

/** Says whether what is shown is still true, and since when not. */
export function LiveMark({
  state,
  again,
  refused = { words: WORDS.refused, remedy: "Enter a token", act: wishForToken },
}: {
  readonly state: FeedState;
  readonly again: () => void;
  /** What a refusal means, and what helps. Default: a token does. */
  readonly refused?: { readonly words: string; readonly remedy: string; readonly act: () => void };
}) {
  const isRefused = state.kind === "refused";
  const lost = state.kind === "lost" || isRefused ? state : undefined;
  return (
    <div class="live" data-state={state.kind}>
      <p role="status">
        <span class="lamp" aria-hidden="true" />
        <strong>{isRefused ? refused.words : WORDS[state.kind]}</strong>{" "}
        {lost !== undefined && (
          <span class="hint">
            since {new Date(lost.sinceMs).toLocaleTimeString()}: {lost.why.slice(0, 200)}
          </span>
        )}
      </p>
      {lost !== undefined && (
        <button type="button" onClick={isRefused ? refused.act : again}>
          {isRefused ? refused.remedy : "Try now"}
        </button>
      )}
    </div>
  );
}
