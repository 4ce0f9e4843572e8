/** The least that the height of a line stands for, so that a lag of a millisecond does not look like a mountain. */
const LEAST = 10;

/** The path of a line through values, oldest first, that ends at the right. */
export function sparkPath(values: readonly number[], width: number, height: number): string {
  if (values.length === 0) return "";
  const top = Math.max(LEAST, ...values);
  const step = values.length > 1 ? (width - 2) / (values.length - 1) : 0;
  const points = values.map((value, index) => {
    const y = height - 2 - (Math.max(0, value) / top) * (height - 4);
    return `${(1 + index * step).toFixed(1)} ${y.toFixed(1)}`;
  });
  return `M${points.join("L")}${values.length === 1 ? `h${width - 2}` : ""}`;
}
