/** Where in the console one is: the fragment `#/<page>/<rest>`, decoded part by part. */
export interface Place {
  readonly page: string;
  readonly parts: readonly string[];
}

/** Reads a fragment. What cannot be decoded stands as it is. */
export function placeOf(fragment: string): Place {
  const [page = "", ...parts] = fragment
    .replace(/^#?\/?/, "")
    .split("/")
    .filter((part) => part !== "")
    .map(decoded);
  return { page, parts };
}

/** The fragment of a place. */
export function fragmentOf(page: string, ...parts: readonly string[]): string {
  return `#/${[page, ...parts].map(encodeURIComponent).join("/")}`;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
