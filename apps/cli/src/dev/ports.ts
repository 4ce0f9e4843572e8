/** Chooses the ports of the development cluster. */
import { createServer } from "node:net";

import { MeridianError } from "@meridian/protocol";

import type { DevConfig } from "./dev-config.ts";
import { NATS_PORTS } from "./dev-log.ts";

/** The default port of the first directory. The other directories and the regions get the ports after it. */
const DIRECTORY_PORT = 7400;

/** The distance between the blocks of ports that are tried, and how many blocks are tried. */
const BLOCK_STEP = 100;
const BLOCKS_MAX = 20;

/** The ports of a cluster. */
export interface Ports {
  /** In the order of the directories, and of the regions. */
  readonly directories: readonly number[];
  readonly regions: readonly number[];
  /** Those of the nats-servers; empty without them. */
  readonly nats: readonly number[];
  /** The ports that were wanted and are busy; empty if these are the wanted ones. */
  readonly busy: readonly number[];
}

/** Resolves to whether a program could listen on a port of 127.0.0.1. */
export type PortCheck = (port: number) => Promise<boolean>;

/** Checks a port by listening on it for a moment. */
export const portIsFree: PortCheck = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });

/**
 * Chooses the ports. Throws `ADDRESS_IN_USE` if a port of the flags or the file is busy. If a port of the default block is busy, takes
 * the next block whose ports are all free.
 */
export async function choosePorts(config: DevConfig, isFree: PortCheck): Promise<Ports> {
  const asked = [...config.directories, ...config.regions].some(({ port }) => port !== undefined);
  const base = config.directories[0]?.port ?? DIRECTORY_PORT;
  const wanted = block(config, base);
  const busy = await busyOf(wanted, isFree);
  if (busy.length === 0) return { ...wanted, busy };
  if (asked) {
    throw new MeridianError(
      "ADDRESS_IN_USE",
      `Expected free ports, got ${busy.join(", ")} busy; stop what listens there or choose others with \`--port\` or in the config file`,
    );
  }
  for (let n = 1; n <= BLOCKS_MAX; n += 1) {
    const next = block(config, base + n * BLOCK_STEP);
    if ((await busyOf(next, isFree)).length === 0) return { ...next, busy };
  }
  throw new MeridianError(
    "ADDRESS_IN_USE",
    `Expected a free block of ${portsOf(wanted).length} ports between ${base} and ${base + BLOCKS_MAX * BLOCK_STEP}, got none; choose one with \`--port\``,
  );
}

type Block = Omit<Ports, "busy">;

function portsOf({ directories, regions, nats }: Block): readonly number[] {
  return [...directories, ...regions, ...nats];
}

function block({ directories, regions, log }: DevConfig, base: number): Block {
  const servers = Array.from({ length: log === "nats" ? NATS_PORTS : 0 }, () => NO_PORT);
  const all = [...directories, ...regions, ...servers];
  const taken = new Set(all.map(({ port }) => port));
  let last = base - 1;
  const next = (): number => {
    do last += 1;
    while (taken.has(last));
    return last;
  };
  const ports = all.map(({ port }) => port ?? next());
  const beyond = ports.find((port) => port > 65_535);
  if (beyond === undefined) {
    return {
      directories: ports.slice(0, directories.length),
      regions: ports.slice(directories.length, directories.length + regions.length),
      nats: ports.slice(directories.length + regions.length),
    };
  }
  throw new MeridianError(
    "INVALID_CONFIG",
    `Expected room for ${ports.length} ports from ${base}, got port ${beyond}`,
  );
}

const NO_PORT = { port: undefined };

async function busyOf(wanted: Block, isFree: PortCheck): Promise<number[]> {
  const ports = portsOf(wanted);
  const free = await Promise.all(ports.map(isFree));
  return ports.filter((_, index) => free[index] === false);
}
