import { fileURLToPath } from "node:url";

import { keepCache } from "./keep-cache.ts";
import { bundleOf, loadBundle } from "./load-bundle.ts";

// `bundleSource` makes the file that starts a program of this. The first run after a change writes the code cache of those that follow.
const file = bundleOf(fileURLToPath(import.meta.url));
const bundle = loadBundle(file);
if (!bundle.isCached) {
  process.once("exit", () => {
    try {
      keepCache(file, bundle);
    } catch {
      // There is no room, or no permission to write. The next run starts as this one did.
    }
  });
}
bundle.run();
