/** One process: measures one library at one size, or its extremes, and prints the result as JSON. */
import { libraries } from "./libraries.ts";
import { extremes } from "./pauses.ts";
import { measure } from "./workloads.ts";

const [name = "", size = ""] = process.argv.slice(2);
const library = libraries[name];
if (library === undefined) throw new Error(`No library \`${name}\``);
const result = size === "extremes" ? await extremes(name) : measure(library, Number(size));
console.log(JSON.stringify(result));
