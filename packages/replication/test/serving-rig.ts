import type { Link, LinkEvents, Uplink, UplinkEvents, UplinkLink } from "@meridian/ports";
import { stampTimeOf, type HorizonState, type LogFrame } from "@meridian/protocol";
import { ServingDirectory } from "@meridian/replication";
import { Metrics, silentLogger } from "@meridian/runtime";
import { copyLogDisk, heartbeatOf, MemoryDirectoryLog, type ManualClock } from "@meridian/testkit";

import { DirectoryRig, readyLogDisk, TestLink, type HelloParts } from "./rig.ts";

/** Passes links on to a directory in the same process. */
class TestUplink implements Uplink {
  isUp = true;
  epoch = 1;
  writer: DirectoryRig;
  readonly paused: boolean[] = [];
  #ends: { readonly events: UplinkEvents; isLost: boolean }[] = [];

  constructor(writer: DirectoryRig) {
    this.writer = writer;
  }

  open(events: UplinkEvents, remoteAddress: string): UplinkLink {
    const { writer } = this;
    const committed = (): number => writer.log.committedThrough;
    const end = { events, isLost: false };
    this.#ends.push(end);
    const back: Link = {
      bufferedBytes: 0,
      send: (message) => {
        if (!end.isLost) events.onMessage(message, committed());
      },
      close: (code, reason) => {
        if (!end.isLost) events.onClose(code, reason, false);
        far.onClose(code, reason);
      },
    };
    const far: LinkEvents = writer.directory.accept(back, remoteAddress, (start) =>
      events.onFeed(start, committed()),
    );
    return {
      bufferedBytes: 0,
      send: (message) => far.onMessage(typeof message === "string" ? message : message.slice()),
      close: (code, reason) => far.onClose(code, reason),
      alive: () => far.onPart(),
      pause: (isPaused) => void this.paused.push(isPaused),
    };
  }

  /** The way to the writer is lost. */
  lose(): void {
    this.isUp = false;
    for (const end of this.#ends) {
      end.isLost = true;
      end.events.onClose(1013, "lost", true);
    }
    this.#ends = [];
  }
}

/** A directory that writes, and one that serves nodes beside it; what the first has committed comes to the second when told. */
export class ServingRig {
  readonly writer = new DirectoryRig();
  readonly uplink = new TestUplink(this.writer);
  readonly clock: ManualClock = this.writer.clock;
  readonly serving: ServingDirectory;
  readonly metrics = new Metrics();
  readonly #log: MemoryDirectoryLog;
  readonly #commits: (() => void)[] = [];

  constructor() {
    const disk = copyLogDisk(readyLogDisk(7, 10_000, this.clock));
    this.#log = new MemoryDirectoryLog(disk, 2, (run) => void this.#commits.push(run));
    this.serving = new ServingDirectory({
      log: this.#log,
      uplink: this.uplink,
      clock: this.clock,
      logger: silentLogger,
      metrics: this.metrics,
      defer: (callback) => this.clock.after(0, callback),
    });
    this.serving.start();
    this.serving.onUp(true);
  }

  join(nodeId: string, incarnation: number, hello: HelloParts = {}): TestLink {
    const link = this.connect();
    link.say(this.writer.hello(nodeId, incarnation, hello));
    return link;
  }

  connect(): TestLink {
    const link = new TestLink();
    link.events = this.serving.accept(link, "10.0.0.9");
    return link;
  }

  /** Commits what was ordered. It comes from the stream, and the writer says that it has committed it. */
  stream(): void {
    const frames = this.commit();
    for (const frame of frames) this.arrive(frame);
    this.serving.onCommitted(this.writer.log.committedThrough);
  }

  /** Commits what was ordered. Returns what is in the stream then, and has not come here. */
  commit(): readonly LogFrame[] {
    this.writer.commit();
    return this.writer.log.read(this.serving.head, Infinity);
  }

  arrive(frame: LogFrame): void {
    this.#log.append(frame, () => {});
    for (const commit of this.#commits.splice(0)) commit();
    this.serving.onFrame(frame);
  }

  saveHorizon(state: HorizonState): void {
    this.#log.saveHorizon(state, () => {});
    for (const commit of this.#commits.splice(0)) commit();
  }

  /** The stream says that stamps so far ahead are admitted. */
  admit(aheadMs: number): void {
    this.#log.admit(stampTimeOf(this.clock.nowMs() + aheadMs), () => {});
    for (const commit of this.#commits.splice(0)) commit();
  }

  /** How many entries the log has that may not be forgotten. */
  get size(): number {
    for (const commit of this.#commits.splice(0)) commit();
    this.#log.sweep(Infinity);
    return this.#log.size;
  }

  /** Proposes a key that has nothing. */
  propose(link: TestLink, id: number): void {
    const nowMs = this.clock.nowMs();
    const stamp: [number, number] = [stampTimeOf(nowMs) + id, 5];
    const content = { value: "", contentType: "", expiresAtMs: 0, deleted: false };
    link.say({ type: "propose", nowMs, id, key: `k${id}`, ifStamp: null, stamp, ...content });
  }

  submit(link: TestLink, incarnation: number, position: number, key: string): void {
    this.writer.submit(link, incarnation, position, [this.writer.entry(key)]);
  }

  /** Lets seconds pass, in which a node says that it is there. */
  pass(link: TestLink, seconds: number): void {
    for (let each = 0; each < seconds; each += 1) {
      this.clock.advance(1_000);
      this.beat(link);
    }
  }

  beat(link: TestLink): void {
    link.say(heartbeatOf({ nowMs: this.clock.nowMs() }));
  }
}
