import { HeldBytes, type Holder } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import { Metrics, SMALL_BYTES } from "@meridian/runtime";
import { expect, it } from "vitest";

const KIB = 1024;
const MAX = 1_000 * KIB;
const LARGE = 100 * KIB;

/** A client that takes what it is told to. */
class Client implements Holder {
  heldBytes = 0;
  movedBytes = 0;
  cutWith: MeridianError | undefined;

  cut(error: MeridianError): void {
    this.cutWith = error;
    this.heldBytes = 0;
  }

  moves(bytes: number): void {
    this.movedBytes += bytes;
    this.heldBytes -= bytes;
  }
}

/** A server that holds at most 1 000 KiB. */
class Server {
  nowMs = 0;
  readonly metrics = new Metrics();
  readonly held = new HeldBytes({
    metrics: this.metrics,
    name: "held",
    what: "answers",
    max: MAX,
    clock: { elapsedMs: () => this.nowMs },
  });

  join(): Client {
    const client = new Client();
    this.held.add(client);
    return client;
  }

  /** Whether bytes were let in. */
  admit(client: Client, bytes: number): boolean {
    try {
      this.held.admit(bytes, client);
    } catch (failure) {
      if (failure instanceof MeridianError && failure.code === "OVERLOADED") return false;
      throw failure;
    }
    client.heldBytes += bytes;
    return true;
  }

  /** Clients that hold all there may be of large things: seven of 100 KiB. */
  filled(): Client[] {
    return Array.from({ length: 7 }, () => {
      const client = this.join();
      this.held.admit(LARGE, client);
      client.heldBytes += LARGE;
      return client;
    });
  }
}

it("while those that hold everything have only begun, what is large is refused and what is small let in", () => {
  const server = new Server();
  const clients = server.filled();
  const newcomer = server.join();
  expect(server.admit(newcomer, LARGE)).toBe(false);
  expect(server.admit(newcomer, SMALL_BYTES)).toBe(true);
  expect(clients.every(({ cutWith }) => cutWith === undefined)).toBe(true);
});

it("a second later the one that has moved least makes room, and nobody else", () => {
  const server = new Server();
  const clients = server.filled();
  const [stuck, ...moving] = clients;
  for (let step = 0; step < 12; step += 1) {
    server.nowMs += 150;
    for (const client of moving) {
      client.moves(KIB);
      expect(server.admit(client, KIB)).toBe(true);
    }
  }
  expect(server.admit(server.join(), LARGE)).toBe(true);
  expect(stuck?.cutWith).toMatchObject({ code: "OVERLOADED" });
  expect(moving.every(({ cutWith }) => cutWith === undefined)).toBe(true);
});

it("of those that do not move at all, the one goes first that holds most", () => {
  const server = new Server();
  const [small, large, other] = [server.join(), server.join(), server.join()];
  server.admit(small, 50 * KIB);
  server.admit(large, 500 * KIB);
  server.admit(other, 150 * KIB);
  expect(server.admit(server.join(), LARGE)).toBe(false);
  server.nowMs = 1_500;
  expect(server.admit(server.join(), LARGE)).toBe(true);
  expect([small.cutWith, other.cutWith]).toEqual([undefined, undefined]);
  expect(large.cutWith).toBeInstanceOf(MeridianError);
});

it("who takes a byte now and then holds no place by that", () => {
  const server = new Server();
  const sips = server.filled();
  const brisk = server.join();
  for (let step = 0; step < 20; step += 1) {
    server.nowMs += 150;
    for (const client of sips) client.moves(1);
    brisk.moves(16 * KIB);
    brisk.heldBytes = 0;
    expect(server.admit(brisk, 16 * KIB)).toBe(true);
  }
  expect(server.admit(server.join(), LARGE)).toBe(true);
  expect(brisk.cutWith).toBeUndefined();
});

it("small things are never refused: where they fill everything, the slowest goes at once", () => {
  const server = new Server();
  const clients = Array.from({ length: 500 }, () => server.join());
  for (const client of clients) {
    server.nowMs += 1;
    expect(server.admit(client, 4 * KIB)).toBe(true);
  }
  expect(server.metrics.levels()[0]?.now).toBeLessThanOrEqual(MAX);
  expect(clients.some(({ cutWith }) => cutWith !== undefined)).toBe(true);
});

it("what is alone is let in however large it is, and what has left makes room", () => {
  const server = new Server();
  const whale = server.join();
  expect(server.admit(whale, 3 * MAX)).toBe(true);
  expect(server.admit(server.join(), LARGE)).toBe(false);
  whale.moves(3 * MAX);
  server.nowMs += 150;
  expect(server.admit(server.join(), LARGE)).toBe(true);
  expect(whale.cutWith).toBeUndefined();
});

it("a client that is gone holds nothing, and cannot be cut twice", () => {
  const server = new Server();
  const clients = server.filled();
  for (const client of clients) server.held.remove(client);
  expect(server.metrics.levels()[0]).toEqual({ name: "held", now: 0, max: MAX });
  expect(server.filled()).toHaveLength(7);
});
