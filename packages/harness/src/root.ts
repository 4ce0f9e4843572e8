import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the repository. */
export const ROOT: string = join(fileURLToPath(new URL(".", import.meta.url)), "../../../");
