/**
 * The environment that gives the options of a program when they are read again. A process cannot see that its environment file has changed. Under systemd, the
 * command of a reload has what the file says then, and leaves it in the runtime folder of the service.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the command of a reload leaves its environment, below the runtime folder. The units name it, too. */
const FILE = "options.json";

/** The environment at the last reload; that of this process if there was none. Throws if the reload has left something else. */
export function environmentNow(env: Environment): Environment {
  const folder = env["RUNTIME_DIRECTORY"];
  if (folder === undefined) return env;
  const file = join(folder, FILE);
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return env;
    throw cause;
  }
  const given: unknown = JSON.parse(text);
  const isText = (value: unknown): boolean => typeof value === "string";
  if (typeof given === "object" && given !== null && Object.values(given).every(isText)) {
    return given as Environment;
  }
  throw new Error(`Expected environment variables in ${file}, got something else`);
}
