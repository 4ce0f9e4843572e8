/** How full each queue and resource of a program is. */
import { useState } from "preact/hooks";

import { amountText } from "./amounts.ts";

/** A queue or resource, and its bound. */
export interface Queue {
  readonly name: string;
  readonly now: number;
  readonly max: number;
}

const SHOWN = 8;

/** The fullest first. */
export function Queues({ queues }: { readonly queues: readonly Queue[] }) {
  const [isWhole, setIsWhole] = useState(false);
  const sorted = queues.toSorted((a, b) => b.now / b.max - a.now / a.max);
  const shown = isWhole ? sorted : sorted.slice(0, SHOWN);
  return (
    <section class="card queues" aria-labelledby="queues-title">
      <h2 id="queues-title">Queues and resources, against their bounds</h2>
      <ul>
        {shown.map((queue) => (
          <li key={queue.name}>
            <span>{wordsOf(queue.name)}</span>
            <meter
              min={0}
              max={1}
              low={0.6}
              high={0.8}
              optimum={0}
              value={Math.min(1, queue.now / queue.max)}
              aria-label={wordsOf(queue.name)}
            />
            <span class="hint">
              {amountText(queue.now, unitOf(queue))} of {amountText(queue.max, unitOf(queue))}
            </span>
          </li>
        ))}
      </ul>
      {sorted.length > SHOWN && (
        <button type="button" aria-expanded={isWhole} onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? "Show the fullest" : `Show all ${sorted.length}`}
        </button>
      )}
    </section>
  );
}

function unitOf({ name }: Queue): "bytes" | "count" {
  return name.endsWith("Bytes") ? "bytes" : "count";
}

/** `outboxInFlightBytes` as `outbox in flight`. */
function wordsOf(name: string): string {
  return name.replace(/Bytes$/, "").replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
