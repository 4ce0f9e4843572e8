import { MeridianError } from "@meridian/protocol";
import {
  HeldBytes as AnyHeldBytes,
  type HeldBytesOptions as AnyHeldBytesOptions,
  type Holder as AnyHolder,
} from "@meridian/runtime";

/** A client for which a program holds bytes. */
export type Holder = AnyHolder<MeridianError>;

/** What bytes are held, and how many. */
export type HeldBytesOptions = Omit<AnyHeldBytesOptions<MeridianError>, "overloaded">;

/** Bounds what is held for all clients together. Whoever has to give it back is told `OVERLOADED`. */
export class HeldBytes extends AnyHeldBytes<MeridianError> {
  constructor(options: HeldBytesOptions) {
    super({
      ...options,
      overloaded: (said, details) => new MeridianError("OVERLOADED", said, { details }),
    });
  }
}
