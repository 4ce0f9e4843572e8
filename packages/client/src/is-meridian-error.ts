import { ERROR_KINDS, type ErrorCode, type MeridianError } from "@meridian/protocol";

/**
 * Whether something that was thrown is a `MeridianError`, and has that code if one is given. It may be one of another copy of
 * this package, which `instanceof` would not know.
 */
export function isMeridianError<Code extends ErrorCode>(
  error: unknown,
  code?: Code,
): error is MeridianError & { readonly code: Code } {
  if (!(error instanceof Error) || error.name !== "MeridianError" || !("code" in error))
    return false;
  if (code !== undefined) return error.code === code;
  return typeof error.code === "string" && Object.hasOwn(ERROR_KINDS, error.code);
}
