import { MeridianError } from "@meridian/protocol";

/** The same error, with `how` (how to continue) at the end of its message. */
export function continued(cause: unknown, how: string): unknown {
  if (!(cause instanceof MeridianError)) return cause;
  const { code, message, details } = cause;
  const more = details === undefined ? { cause } : { cause, details };
  return new MeridianError(code, `${message}${how}`, more);
}

/** Quotes text as one word for a shell. */
export function quoted(text: string): string {
  return /^[\w:./@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
