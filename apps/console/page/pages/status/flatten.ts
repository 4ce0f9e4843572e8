/** A JSON value as names and texts: `{"disk":{"free":1}}` as `disk.free` and `1`. */
export function flatten(value: unknown, prefix = ""): readonly (readonly [string, string])[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null) return [[prefix, textOf(value)]];
  const members = Object.entries(value);
  if (members.length === 0) return [[prefix, "none"]];
  return members.flatMap(([name, member]) =>
    flatten(member, prefix === "" ? name : `${prefix}.${name}`),
  );
}

function textOf(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en") : String(value);
}
