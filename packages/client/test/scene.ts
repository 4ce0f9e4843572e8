/** A client of two nodes behind real servers, on a clock that moves when told to. */
import { MeridianError } from "@meridian/protocol";
import { seededRandom } from "@meridian/runtime";
import { expect, onTestFinished } from "vitest";

import { connect, type ConnectOptions, type MeridianClient } from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { Listener, World, type FakeNode } from "./world.ts";

export interface Scene {
  readonly world: World;
  readonly near: FakeNode;
  readonly far: FakeNode;
  readonly nearServer: Listener;
  readonly farServer: Listener;
  readonly directoryServer: Listener;
  readonly clock: FakeClock;
  readonly client: MeridianClient;
}

/** Over what the clients of the running test send requests. */
let transport: (typeof TRANSPORTS)[number] = "http";

/** What requests may go over. */
export const TRANSPORTS = ["http", "websocket"] as const;

/** Says over what the clients of the running test send requests. */
export function speak(given: (typeof TRANSPORTS)[number]): void {
  transport = given;
  onTestFinished(() => {
    transport = "http";
  });
}

/** Connects; everything is closed when the running test ends. */
export async function openScene(options: Partial<ConnectOptions> = {}): Promise<Scene> {
  const world = new World();
  const [near, far] = [world.addNode("near"), world.addNode("far")];
  const over = options.transport ?? transport;
  const [nearServer, farServer] = [near, far].map(
    (node) => new Listener((call) => node.answer(call), over !== "http"),
  );
  const directoryServer = new Listener((call) => world.answerDirectory(call));
  if (nearServer === undefined || farServer === undefined) throw new Error("unreachable");
  near.url = await nearServer.start();
  far.url = await farServer.start();
  const clock = new FakeClock();
  const client = await connect({
    directory: await directoryServer.start(),
    location: { lat: 0, lon: 0 },
    clock,
    random: seededRandom(1),
    ...options,
    transport: over,
  });
  onTestFinished(async () => {
    client.close();
    for (const server of [nearServer, farServer, directoryServer]) await server.kill();
  });
  return { world, near, far, nearServer, farServer, directoryServer, clock, client };
}

/** What `work` rejects with. */
export const failure = (work: Promise<unknown>): Promise<MeridianError> =>
  work.then(
    () => expect.fail("expected a rejection"),
    (cause: unknown) => {
      expect(cause).toBeInstanceOf(MeridianError);
      return cause as MeridianError;
    },
  );

/** Moves time on in small steps, sockets getting their turn between them, until `done` or `limitMs` is over. */
export async function passUntil(
  clock: FakeClock,
  done: () => boolean,
  limitMs = 60_000,
): Promise<void> {
  for (let passedMs = 0; passedMs <= limitMs; passedMs += 10) {
    for (let turn = 0; turn < 4; turn += 1) {
      if (done()) return;
      await new Promise(setImmediate);
    }
    clock.advance(10);
  }
  expect.fail(`not done within ${limitMs} ms`);
}

/** The outcome of `work`, time moving on until there is one, and how long that took. */
export async function timed<T>(
  clock: FakeClock,
  work: Promise<T>,
): Promise<{ readonly value: T; readonly tookMs: number }> {
  const startMs = clock.elapsedMs();
  let settled = false;
  const settle = (): void => {
    settled = true;
  };
  work.then(settle, settle);
  await passUntil(clock, () => settled);
  return { value: await work, tookMs: clock.elapsedMs() - startMs };
}
