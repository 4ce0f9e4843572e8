/** A version's way through the cluster, as far as the regions still know it. */
import { momentText } from "./entry-table.tsx";
import type { Way } from "./entries.ts";

/** Who wrote it, and when each region had it. */
export function WayPanel({
  way,
  isThere,
}: {
  readonly way: Way | undefined;
  readonly isThere: boolean;
}) {
  return (
    <section class="card part" aria-labelledby="way-title">
      <h2 id="way-title">Its way</h2>
      {way === undefined ? (
        <p class="hint">
          {isThere
            ? "Not known: regions keep the way of what is written while somebody looks. Of what is written from now on, it stands here."
            : "Nothing is there yet."}
        </p>
      ) : (
        <>
          <p>
            Written at <bdi>{way.writer ?? "a place that is not known"}</bdi>,{" "}
            {momentText(way.writtenAtMs)}
          </p>
          <ol class="way">
            {way.arrivals.map(({ name, atMs, isWriter }) => (
              <li key={name}>
                <bdi>{name}</bdi>
                <span class="hint">
                  {isWriter
                    ? "wrote it"
                    : atMs === undefined
                      ? "not known"
                      : afterText(atMs - way.writtenAtMs)}
                </span>
              </li>
            ))}
          </ol>
          <p class="hint">By the clock of each machine.</p>
        </>
      )}
    </section>
  );
}

function afterText(ms: number): string {
  const rounded = Math.round(ms);
  return rounded < 0 ? `${rounded} ms: clocks differ` : `${rounded} ms later`;
}
