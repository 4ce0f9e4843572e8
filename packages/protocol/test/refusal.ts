import { MeridianError, type ErrorCode } from "@meridian/protocol";

/** The code that `act` is refused with, or `accepted`. Anything but a MeridianError goes through. */
export function refusal(act: () => unknown): ErrorCode | "accepted" {
  return attempt(() => {
    act();
    return "accepted" as const;
  });
}

/** What `act` gives, or the code that it is refused with. */
export function attempt<Result>(act: () => Result): Result | ErrorCode {
  try {
    return act();
  } catch (cause) {
    if (cause instanceof MeridianError) return cause.code;
    throw cause;
  }
}
