/** How directories send packets to each other. `NatsWire` implements it; tests have one in memory. */

/** Carries packets between directories: in the order in which they were sent, each at most once. */
export interface RelayWire {
  /** Sends a packet to whoever listens at an address. `from` is where the answer goes. */
  send(to: string, packet: Uint8Array, from: string): void;
  /** Listens at an address. Returns what ends it. */
  listen(address: string, onPacket: (packet: Uint8Array, from: string) => void): () => void;
}

/** The address of the directory that writes in an epoch. */
export function writerAddress(epoch: number): string {
  return `writer-${epoch.toString(36)}`;
}

/** The address of a directory that serves nodes beside it. */
export function serverAddress(id: number): string {
  return `server-${id.toString(36)}`;
}
