/** A channel of `node:diagnostics_channel`. */
export interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}

interface Platform {
  readonly process?: {
    readonly getBuiltinModule?: (name: string) => { channel(name: string): Channel } | undefined;
  };
}

/** The channel `meridian:client:<name>`; undefined on platforms without channels. Loaded without an import, which browsers could not resolve. */
export function channelOf(name: string): Channel | undefined {
  const { process } = globalThis as Platform;
  return process
    ?.getBuiltinModule?.("node:diagnostics_channel")
    ?.channel(`meridian:client:${name}`);
}
