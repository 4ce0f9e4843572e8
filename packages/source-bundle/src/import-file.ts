/** Where `load-bundle.ts` puts the `import()` of its own. */
const IMPORT: unique symbol = Symbol.for("meridian.import");

type ImportFile = (url: string) => Promise<unknown>;

const shared = globalThis as { [IMPORT]?: ImportFile };

/** Has `importFile` use the caller's `import()`. */
export function offerImport(importUrl: ImportFile): void {
  shared[IMPORT] = importUrl;
}

/**
 * Imports a module by its URL. In a program that starts from a code cache, Node.js 20 does not know how `import()` is to be answered: whoever has loaded
 * the program does it instead.
 */
export function importFile(url: string): Promise<unknown> {
  return (shared[IMPORT] ?? ((each: string): Promise<unknown> => import(each)))(url);
}
