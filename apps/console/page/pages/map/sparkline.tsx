/** The last values of a number as a small line. Who does not see it reads the number beside it. */
import { sparkPath } from "./spark-path.ts";

const WIDTH = 72;
const HEIGHT = 20;

/** A line of values, oldest first. */
export function Sparkline({ values }: { readonly values: readonly number[] }) {
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
      <path d={sparkPath(values, WIDTH, HEIGHT)} />
    </svg>
  );
}
