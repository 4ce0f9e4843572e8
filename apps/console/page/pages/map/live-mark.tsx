import type { FeedState } from "../../api/feed.ts";

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
}: {
  readonly state: FeedState;
  readonly again: () => void;
}) {
  const isLost = state.kind === "lost" || state.kind === "refused";
  return (
    <div class="live" data-state={state.kind}>
      <p role="status">
        <span class="lamp" aria-hidden="true" />
        <strong>{WORDS[state.kind]}</strong>
        {state.kind === "lost" && (
          <span class="hint">
            since {new Date(state.sinceMs).toLocaleTimeString()}: {state.why.slice(0, 200)}
          </span>
        )}
      </p>
      {isLost && (
        <button type="button" onClick={again}>
          Try now
        </button>
      )}
    </div>
  );
}
