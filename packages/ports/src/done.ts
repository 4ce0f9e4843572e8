import type { MeridianError } from "@meridian/protocol";

/** Called when something is durable, or with why it is not. */
export type Done = (failure?: MeridianError) => void;
