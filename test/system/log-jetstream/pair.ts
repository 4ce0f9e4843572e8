import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  FIVE_PLACES,
  placeArguments,
  regionArguments,
  until,
  type LinkProxy,
  type Program,
} from "@meridian/local-cluster";
import { onTestFinished } from "vitest";

import { freePort } from "../../support/free-port.ts";
import { NatsServers } from "../../support/nats-servers.ts";
import { start } from "../../support/spawned.ts";

/** Two directories, of which the first writes, and one region at each. */
export class Pair {
  readonly folder: string = mkdtempSync(join(tmpdir(), "meridian-serving-"));
  readonly servers: NatsServers = new NatsServers();
  readonly directories: Program[] = [];
  readonly regions: Program[] = [];
  #ports: readonly number[] = [];

  /** Where the second directory finds NATS; undefined for where the first does. */
  readonly #line: LinkProxy | undefined;

  constructor(line?: LinkProxy) {
    this.#line = line;
  }

  static async start(line?: LinkProxy): Promise<Pair> {
    const pair = new Pair(line);
    onTestFinished(async () => {
      await pair.servers.stop();
      rmSync(pair.folder, { recursive: true, force: true });
    });
    await pair.servers.start();
    if (line !== undefined) line.target = pair.servers.url.replace("nats:", "http:");
    pair.#ports = [await freePort(), await freePort()];
    await pair.startDirectory(0);
    await pair.directories[0]?.listens();
    await pair.startDirectory(1);
    await until("the second directory serves", () => pair.says(1, "serves nodes beside"));
    const [first = "", second = ""] = pair.urls;
    await pair.startRegion(0, [first, second]);
    await pair.startRegion(1, [second, first]);
    return pair;
  }

  async startDirectory(index: number): Promise<void> {
    const name = `directory-${index}`;
    const place = placeArguments("127.0.0.1", this.#ports[index] ?? 0, join(this.folder, name));
    const line = index === 1 ? this.#line?.url.replace("http:", "nats:") : undefined;
    const own = [`--log=${line ?? this.servers.url}`, `--url=${this.urls[index]}`];
    this.directories[index] = await start("directory", name, [...place, ...own]);
  }

  /** Starts a third directory. */
  async addDirectory(): Promise<void> {
    this.#ports = [...this.#ports, await freePort()];
    await this.startDirectory(2);
    await until("the third directory serves", () => this.says(2, "serves nodes beside"));
  }

  says(index: number, text: string): boolean {
    return this.directories[index]?.lines.some((line) => line.includes(text)) === true;
  }

  url(index: number): string {
    return this.regions[index]?.url ?? "";
  }

  /** Where the directories answer, in their order. */
  get urls(): readonly string[] {
    return this.#ports.map((port) => `http://127.0.0.1:${port}`);
  }

  /** The ids of the nodes that have their links with a directory; the writer has those that are passed on to it, too. */
  async nodesOf(index: number): Promise<readonly string[]> {
    const answer = await fetch(`${this.urls[index]}/nodes`).catch(() => undefined);
    const { nodes = [] } = ((await answer?.json()) ?? {}) as {
      readonly nodes?: readonly { id: string; status: string; peer: string | null }[];
    };
    return nodes
      .filter(({ status, peer }) => status === "ready" && peer === null)
      .map(({ id }) => id);
  }

  /** Resolves once the region of a directory that only serves has its link there, and the writer has both. */
  async spread(serving: 0 | 1): Promise<void> {
    const id = FIVE_PLACES[serving]?.id ?? "";
    const isAt = async (): Promise<boolean> => (await this.nodesOf(serving)).includes(id);
    await until(`directory ${serving} has ${id}`, isAt, 60_000);
    const hasBoth = async (): Promise<boolean> => (await this.nodesOf(1 - serving)).length === 2;
    await until(`directory ${1 - serving} knows both`, hasBoth, 60_000);
  }

  async digests(): Promise<ReadonlySet<string>> {
    const urls = [...this.urls, ...this.regions.map(({ url }) => url)];
    const all = urls.map(async (url) => {
      const { count, fingerprint } = (await (await fetch(`${url}/digest`)).json()) as {
        readonly count: number;
        readonly fingerprint: string;
      };
      return `${count} ${fingerprint}`;
    });
    return new Set(await Promise.all(all));
  }

  /** What all programs have printed about comparisons. */
  get comparisons(): readonly string[] {
    return [...this.directories, ...this.regions]
      .flatMap(({ lines }) => lines)
      .filter((line) => /node reconciles|reconciles=true/.test(line));
  }

  /** Starts a region that is given these directories, or asks these members for them. */
  async startRegion(
    index: number,
    urls: readonly string[],
    option: "directory" | "join" = "directory",
  ): Promise<Program> {
    const place = FIVE_PLACES[index];
    if (place === undefined) throw new Error("Expected a place");
    const given = regionArguments(place, urls);
    const region = await start("region", place.id, [
      ...placeArguments("127.0.0.1", 0, join(this.folder, place.id)),
      ...given.map((each) => each.replace("--directory=", `--${option}=`)),
    ]);
    await region.listens();
    this.regions[index] = region;
    return region;
  }
}
