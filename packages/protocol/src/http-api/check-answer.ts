import * as v from "valibot";

import { MeridianError } from "../errors.ts";
import type { Described } from "./route.ts";

/**
 * Checks an answer against its schema and returns it with all its members, unknown ones included: a newer program may send more. Throws
 * `INTERNAL` with the first member that does not fit. `from` names the sender in the message.
 */
export function checkAnswer<Schema extends v.GenericSchema>(
  schema: Schema,
  answer: unknown,
  from: string,
): Described<Schema> {
  const { issues } = v.safeParse(schema, answer, { abortEarly: true });
  if (issues === undefined) return answer as Described<Schema>;
  const [issue] = issues;
  const path = v.getDotPath(issue);
  const what = path === null ? "the answer" : `\`${path}\``;
  if (issue.received === "undefined") {
    throw new MeridianError("INTERNAL", `Expected ${what} from ${from}, got nothing`);
  }
  const expected = issue.expected ?? issue.type;
  const got = issue.received.slice(0, 80);
  throw new MeridianError(
    "INTERNAL",
    `Expected ${what} from ${from} to be ${expected}, got ${got}`,
  );
}
