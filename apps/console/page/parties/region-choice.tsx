/** Which region a part of a page shows. */
import { useRef, useState } from "preact/hooks";

import type { Party } from "./views.ts";

/**
 * The region that was chosen, or else the first that was there: it stays the same, whichever come and go, so that nothing
 * changes under a pointer. `region` is undefined while it is not among those that are there.
 */
export function useChosen(regions: readonly Party[]) {
  const [chosen, setChosen] = useState<Party>();
  const first = useRef(regions[0]);
  first.current ??= regions[0];
  const pinned = chosen ?? first.current;
  const region = regions.find(({ id }) => id === pinned?.id);
  const choose = (name: string): void => setChosen(regions.find((each) => each.name === name));
  return { name: region?.name ?? pinned?.name ?? "", region, choose };
}

/** Chooses among the regions that are there; nothing where there is no choice. */
export function RegionChoice({
  label,
  isBeside = false,
  regions,
  chosen: { name, region, choose },
}: {
  readonly label: string;
  /** Whether the label stands beside the choice, and not above it. */
  readonly isBeside?: boolean;
  readonly regions: readonly Party[];
  readonly chosen: ReturnType<typeof useChosen>;
}) {
  if (regions.length < 2 && region !== undefined) return null;
  return (
    <label class={isBeside ? "choice" : undefined}>
      {label}
      <select value={name} onChange={({ currentTarget }) => choose(currentTarget.value)}>
        {region === undefined && (
          <option value={name} disabled>
            {name} (gone)
          </option>
        )}
        {regions.map((each) => (
          <option key={each.name} value={each.name}>
            {each.name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Says that a region is gone. */
export function GoneRegion({ name }: { readonly name: string }) {
  return (
    <p class="warning" role="alert">
      The region <bdi>{name}</bdi> is gone.
    </p>
  );
}
