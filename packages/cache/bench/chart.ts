/** Bars: how many times as fast as lru-cache with ttl, per operation and size. */
export interface Bar {
  readonly label: string;
  readonly ratio: number;
}

const ROW = 18;
const LEFT = 250;
const UNIT = 90;

export function chart(
  title: string,
  groups: readonly (readonly [string, readonly Bar[]])[],
): string {
  const lines: string[] = [];
  let y = 48;
  for (const [name, bars] of groups) {
    lines.push(`<text x="10" y="${y + 13}" font-weight="bold">${name}</text>`);
    for (const { label, ratio } of bars) {
      const width = Math.min(ratio, 6) * UNIT;
      const colour = ratio >= 1 ? "#2b7a78" : "#b3541e";
      lines.push(
        `<text x="${LEFT - 6}" y="${y + 13}" text-anchor="end">${label}</text>`,
        `<rect x="${LEFT}" y="${y + 2}" width="${width.toFixed(0)}" height="${ROW - 5}" fill="${colour}"/>`,
        `<text x="${LEFT + 5 + width}" y="${y + 13}">${ratio.toFixed(2)}×</text>`,
      );
      y += ROW;
    }
    y += 8;
  }
  const one = LEFT + UNIT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 ${y + 6}" font-family="sans-serif" font-size="12">`,
    `<rect width="860" height="${y + 6}" fill="#fff"/>`,
    `<text x="10" y="24" font-size="15" font-weight="bold">${title}</text>`,
    ...lines,
    `<line x1="${one}" x2="${one}" y1="40" y2="${y}" stroke="#888" stroke-dasharray="3"/>`,
    "</svg>",
    "",
  ].join("\n");
}
