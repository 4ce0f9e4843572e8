/** A chart of horizontal bars, as SVG that needs no script and no font of its own. */

/** One bar. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The smallest and the largest value of all rounds, drawn as a line. */
  readonly low: number;
  readonly high: number;
  readonly isOurs: boolean;
}

const WIDTH = 860;
const LEFT = 300;
const RIGHT = 110;
const ROW = 24;
const TOP = 58;

/** A number with three digits, or without a fraction if it has more. */
export function threeDigits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString("en").replaceAll(",", " ");
  return String(Number(value.toPrecision(3)));
}

/** Text as it stands between two tags. */
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** A chart of one figure, one bar for each contender. */
export function chart(title: string, subtitle: string, bars: readonly Bar[]): string {
  const highest = Math.max(...bars.map(({ high }) => high), Number.MIN_VALUE);
  const at = (value: number): number => Math.round(((WIDTH - LEFT - RIGHT) * value) / highest);
  const drawn = bars.flatMap(({ label, value, low, high, isOurs }, index) => {
    const y = TOP + index * ROW;
    const middle = y + ROW / 2;
    const weight = isOurs ? ' font-weight="bold"' : "";
    return [
      `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end"${weight}>${escaped(label)}</text>`,
      `<rect x="${LEFT}" y="${y + 4}" width="${at(value)}" height="${ROW - 8}" fill="${isOurs ? "#2b7a78" : "#9aa5ad"}"/>`,
      `<line x1="${LEFT + at(low)}" x2="${LEFT + at(high)}" y1="${middle}" y2="${middle}" stroke="#333"/>`,
      `<text x="${LEFT + at(high) + 8}" y="${middle + 4}"${weight}>${threeDigits(value)}</text>`,
    ];
  });
  const height = TOP + bars.length * ROW + 10;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="10" y="24" font-size="15" font-weight="bold">${escaped(title)}</text>`,
    `<text x="10" y="44" fill="#555">${escaped(subtitle)}</text>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}
