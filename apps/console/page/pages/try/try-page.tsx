/** Two regions side by side: set here, see it there, cut a link, write on both sides, heal, and watch them agree. */
import { useState } from "preact/hooks";

import type { SentEvent } from "../../api/event-stream.ts";
import { useFeed, useRegions } from "../../parties/use-nodes.ts";
import "../../styles/try.css";
import { LiveMark } from "../map/live-mark.tsx";
import { agreementOf } from "./agreement.ts";
import { DrillCard } from "./drill-card.tsx";
import { PLAYGROUND_PATH, type PlaygroundRegion, type PlaygroundState } from "./playground.ts";
import { SideCard } from "./side-card.tsx";
import { useHolding } from "./use-holding.ts";

const KEY = "greeting";

/** A playground has a token of its own, which it makes anew when it starts and puts into its page. */
const STARTED_AGAIN = {
  words: "The cluster was started again",
  remedy: "Load the page again",
  act: () => location.reload(),
};

/** The page of a playground. */
export function TryPage() {
  const [state, setState] = useState<PlaygroundState>();
  const [onEvent] = useState(() => ({ name, data }: SentEvent) => {
    if (name === "playground") setState(JSON.parse(data) as PlaygroundState);
  });
  // A page that is hidden still looks: whoever cuts a link may go to a terminal.
  const feed = useFeed(PLAYGROUND_PATH, onEvent, false, false);
  const regions = state?.regions ?? [];
  return (
    <section class="page" aria-labelledby="try-title">
      <div class="heading">
        <h1 id="try-title">Try it</h1>
        <LiveMark state={feed.state} again={feed.again} refused={STARTED_AGAIN} />
      </div>
      <ol class="hint try-steps">
        <li>Set a value in one region, and see it in the other.</li>
        <li>Cut the link of one. Both still take writes: set another value in each.</li>
        <li>Heal the link, and watch them agree: the later write holds, everywhere.</li>
      </ol>
      {regions.length < 2 ? (
        <p class="notice">
          {state === undefined
            ? "Connecting …"
            : "It takes two regions. Start the cluster with more of them."}
        </p>
      ) : (
        <Sides regions={regions} />
      )}
      {state !== undefined && <DrillCard drills={state.drills} drill={state.drill} />}
    </section>
  );
}

function Sides({ regions }: { readonly regions: readonly PlaygroundRegion[] }) {
  const [key, setKey] = useState(KEY);
  const [first, last] = [regions[0]?.id ?? "", regions.at(-1)?.id ?? ""];
  const [leftId, setLeft] = useState(first);
  const [rightId, setRight] = useState(last);
  // A key that is being typed may be empty for a moment.
  const keyName = key === "" ? KEY : key;
  // What was cut off is there again a while after it was healed.
  const there = useRegions().map(({ name, isThere }) => `${name} ${isThere}`);
  const occasion = [...regions.map(({ healsAtMs }) => healsAtMs), ...there].join();
  const left = useHolding(leftId, keyName, occasion);
  const right = useHolding(rightId, keyName, occasion);
  const find = (id: string) => regions.find((region) => region.id === id) ?? regions[0];
  const onWritten = (): void => {
    left.askSoon();
    right.askSoon();
  };
  const [leftRegion, rightRegion] = [find(leftId), find(rightId)];
  if (leftRegion === undefined || rightRegion === undefined) return null;
  const shared = { regions, keyName, onWritten };
  return (
    <>
      <label class="try-key">
        Key
        <input
          value={key}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setKey(currentTarget.value)}
        />
      </label>
      <div class="try-sides">
        <SideCard
          {...shared}
          key={`left ${leftId}`}
          label="One region"
          region={leftRegion}
          {...left}
          onChoose={setLeft}
        />
        <SideCard
          {...shared}
          key={`right ${rightId}`}
          label="The other"
          region={rightRegion}
          {...right}
          onChoose={setRight}
        />
      </div>
      <AgreementCard
        left={{ name: leftId, holding: left.holding }}
        right={{ name: rightId, holding: right.holding }}
      />
    </>
  );
}

function AgreementCard(sides: {
  readonly left: Parameters<typeof agreementOf>[0];
  readonly right: Parameters<typeof agreementOf>[1];
}) {
  const { isSame, sentences } = agreementOf(sides.left, sides.right);
  const words = isSame === undefined ? "Comparing …" : isSame ? "They agree." : "They differ.";
  return (
    <section
      class={`card part try-agreement ${isSame === false ? "is-different" : ""}`}
      aria-label="Agreement"
      data-testid="agreement"
    >
      <p role="status">
        <svg viewBox="0 0 24 24" class="icon" aria-hidden="true">
          <path
            d={
              isSame === false
                ? "M6 9h12M6 15h12M15 5 9 19"
                : "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12.5l2.7 2.7L16 9.5"
            }
          />
        </svg>{" "}
        <strong>{words}</strong>
      </p>
      {sentences.map((sentence) => (
        <p key={sentence} class="hint">
          <bdi>{sentence}</bdi>
        </p>
      ))}
    </section>
  );
}
