/** The last step of an app's build, in its folder: `bundle-program.js [arguments]`, with the arguments for a first run of the program. */
import { bundleProgram } from "./program-bundle.ts";

await bundleProgram(process.cwd(), process.argv.slice(2));
