/** Takes a client's nearest node away in several ways, while the client is in use, and gives it back. */
import { connect, type MeridianClient, type Transport } from "@meridian/client";
import { Cluster, FIVE_PLACES, LinkProxy, until, type Region } from "@meridian/harness";

import { ReaderWriter, type Told } from "./reader-writer.ts";

/** How a node is lost. */
export type Loss = "kill" | "freeze" | "cut" | "drain";

/** What came of one loss. */
export interface LossReport extends Told {
  readonly loss: Loss;
  /** How long after the node was given back the client used it again, in milliseconds. */
  readonly backMs: number;
}

/** How the client is used. */
export interface LossOptions {
  readonly transport: Transport;
  /** Calls a second. */
  readonly rate: number;
  /** How long a node is away, in milliseconds. */
  readonly awayMs: number;
  readonly losses: readonly Loss[];
}

const PLACES = FIVE_PLACES.slice(0, 3);
/** The client is used for so long before its node is lost, and after it is back at it. */
const CALM_MS = 1_000;

/** A cluster whose client reaches its nearest node over a line that can be cut. */
class LossyCluster {
  readonly #cluster = new Cluster();
  readonly #line: LinkProxy;

  constructor(line: LinkProxy) {
    this.#line = line;
  }

  /** Starts three regions. The first is the one that is lost. */
  async start(): Promise<void> {
    await this.#cluster.startDirectories();
    for (const place of PLACES) await this.#cluster.add(this.#settingsOf(place));
    this.#line.target = this.victim.url;
    await until("every region is ready", async () => {
      return (await this.#cluster.offered()).length === PLACES.length;
    });
  }

  get directoryUrl(): string {
    return this.#cluster.directoryUrl;
  }

  get victim(): Region {
    const [victim] = this.#cluster.regions;
    if (victim === undefined) throw new Error("Expected a cluster with regions");
    return victim;
  }

  async lose(loss: Loss): Promise<void> {
    if (loss === "kill") await this.victim.kill();
    else if (loss === "freeze") this.victim.program.signal("SIGSTOP");
    else if (loss === "cut") this.#line.blackHole();
    else await this.victim.stop();
  }

  async giveBack(loss: Loss): Promise<void> {
    if (loss === "freeze") this.victim.program.signal("SIGCONT");
    else if (loss === "cut") this.#line.heal();
    else {
      await this.victim.start();
      this.#line.target = this.victim.url;
    }
  }

  /** What some region lacks of what was acknowledged. */
  async missing(load: ReaderWriter): Promise<readonly string[]> {
    await this.#cluster.converged(undefined, 60_000);
    const each = this.#cluster.regions.map((region) =>
      load.missing(async (key) => (await fetch(`${region.url}/cache/${key}`)).text()),
    );
    return (await Promise.all(each)).flat();
  }

  async dispose(): Promise<void> {
    await this.#cluster.dispose();
    await this.#line.close();
  }

  #settingsOf(place: (typeof PLACES)[number]): Parameters<Cluster["add"]>[0] {
    const isVictim = place.id === PLACES[0]?.id;
    return isVictim ? { ...place, args: [`--url=${this.#line.url}`] } : place;
  }
}

/** Loses and gives back the node of a client in each of these ways. */
export async function loseNodes(
  options: LossOptions,
  tell: (report: LossReport) => void = () => {},
): Promise<readonly LossReport[]> {
  const cluster = new LossyCluster(await LinkProxy.listen());
  let client: MeridianClient | undefined;
  const reports: LossReport[] = [];
  try {
    await cluster.start();
    const { lat, lon, id } = cluster.victim.place;
    const { transport } = options;
    client = await connect({ directory: cluster.directoryUrl, location: { lat, lon }, transport });
    // Which of two nodes on one machine is the faster one is a matter of chance: what counts is that the client uses this one, too.
    const isBack = (): boolean =>
      client?.status().nodes.find((node) => node.id === id)?.circuit === "closed";
    await until("the client uses its nearest node", isBack);
    for (const loss of options.losses) {
      const load = new ReaderWriter(client, loss);
      let backMs = NaN;
      const story = async (): Promise<void> => {
        await pause(CALM_MS);
        await cluster.lose(loss);
        await pause(options.awayMs);
        await cluster.giveBack(loss);
        const givenMs = performance.now();
        await until("the client uses its nearest node again", isBack, 60_000);
        backMs = performance.now() - givenMs;
        await pause(CALM_MS);
      };
      const over = story();
      const told = await load.run(options.rate, over);
      await over;
      const wrong = [...told.wrong, ...(await cluster.missing(load))];
      const report = { ...told, wrong, loss, backMs };
      reports.push(report);
      tell(report);
    }
  } finally {
    client?.close();
    await cluster.dispose();
  }
  return reports;
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
