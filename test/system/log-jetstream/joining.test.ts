/** Directories over one stream tell each other where they are, and regions that join by one of them learn of all. */
import { runCli } from "@meridian/cli";
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

/** What `meridian verify` and `meridian doctor` say. */
interface Verified {
  readonly equal: boolean;
  readonly parties: readonly { readonly kind: string; readonly url: string }[];
}
interface Examined {
  readonly directories: number;
}

async function runJson<Said>(args: readonly string[]): Promise<Said> {
  let said = "";
  const stdout = { write: (text: string | Uint8Array): unknown => (said += String(text)) };
  const stderr = { write: (): unknown => undefined };
  await runCli(args, { stdout, stderr, stdin: undefined, env: {}, colour: false });
  return JSON.parse(said) as Said;
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
    await until("the first knows both", async () => (await beside(first)).length === 2);
    // Of one of them, too, `meridian verify` and `meridian doctor` learn of all.
    const verified = await runJson<Verified>(["verify", "--directory", second, "--json"]);
    expect(verified).toMatchObject({ equal: true });
    const compared = verified.parties.filter(({ kind }) => kind === "directory");
    expect(compared.map(({ url }) => url).toSorted()).toEqual([first, second, third].toSorted());
    const examined = await runJson<Examined>(["doctor", "--directory", second, "--json"]);
    expect(examined.directories).toBe(3);
    const trouble = await getJson<Examined>(`${second}/trouble`);
    expect(trouble.directories).toBe(3);
    await Promise.all(pair.directories.slice(0, 2).map((directory) => directory.kill()));
    const isThere = async (): Promise<boolean> => (await told()).directory === third;
    await until("the region is at the third", isThere, 60_000);
    await putValue(pair.url(2), "after", "x", { ack: "directory", timeout: "60s" });
  },
);
