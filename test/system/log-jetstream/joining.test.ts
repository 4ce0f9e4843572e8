/** Directories over one stream tell each other where they are, and regions that join by one of them learn of all. */
import { getJson, putValue } from "@meridian/harness";
import { until } from "@meridian/local-cluster";
import { expect, it } from "vitest";

import { HAS_NATS } from "../../support/nats-servers.ts";
import { Pair } from "./pair.ts";

/** What a region says of its directories. */
interface Told {
  readonly directory: string | null;
  readonly directories: readonly string[];
}

it.skipIf(!HAS_NATS)(
  "a region that was told one directory knows the others, also one that comes later, and goes on there when the rest is lost (needs nats-server)",
  async () => {
    const pair = await Pair.start();
    const [first = "", second = ""] = pair.urls;
    const beside = async (url: string): Promise<readonly string[]> => {
      const status = await getJson<{ beside: { url: string }[] }>(`${url}/status`);
      return status.beside.map((each) => each.url);
    };
    await until("they know each other", async () => (await beside(second)).includes(first));
    await pair.startRegion(2, [second], "join");
    const told = (): Promise<Told> => getJson<Told>(`${pair.url(2)}/status`);
    expect((await told()).directories).toEqual([second, first]);

    await pair.addDirectory();
    const third = pair.urls[2] ?? "";
    const isKnown = async (): Promise<boolean> => (await told()).directories.includes(third);
    await until("the region knows the third", isKnown, 90_000);
    await Promise.all(pair.directories.slice(0, 2).map((directory) => directory.kill()));
    const isThere = async (): Promise<boolean> => (await told()).directory === third;
    await until("the region is at the third", isThere, 60_000);
    await putValue(pair.url(2), "after", "x", { ack: "directory", timeout: "60s" });
  },
);
