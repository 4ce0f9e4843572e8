import { describe, expect, it, onTestFinished, type TestContext } from "vitest";
import {
  type Cluster,
  FIVE_PLACES,
  getJson,
  getText,
  putValue,
  type Region,
  request,
  startCluster,
  until,
} from "@meridian/harness";

import { SmallDisk } from "../support/small-disk.ts";

const DISK_BYTES = 16 * 1024 * 1024;

/** Longer than a node waits for any progress of its directory, by far. */
const FULL_MS = 8_000;
/** Between two turns of both regions. */
const TURN_PAUSE_MS = 25;

interface DirectoryStatus {
  readonly stall: string | null;
  readonly committedThrough: number;
}

interface RegionStatus {
  readonly status: string;
  readonly replica: { readonly heldBack: boolean; readonly outboxPending: number };
}

interface Scene {
  readonly cluster: Cluster;
  readonly disk: SmallDisk;
  readonly near: Region;
  readonly far: Region;
}

/** Two regions with some entries, whose directory has a disk of its own. */
async function openScene(context: TestContext): Promise<Scene> {
  const disk = SmallDisk.mount(DISK_BYTES);
  if (typeof disk === "string") return context.skip(disk);
  onTestFinished(() => disk.unmount());
  const cluster = await startCluster(FIVE_PLACES.slice(0, 2), { directoryDisk: disk.path });
  const [near, far] = cluster.regions;
  if (!near || !far) throw new Error("Expected two regions");
  await putValue(near.url, "before", "calm");
  await cluster.converged(1);
  return { cluster, disk, near, far };
}

/** Fills the directory's disk, and writes until the regions have been told to hold back. Returns how many keys that took. */
async function fillDisk({ cluster, disk, near, far }: Scene): Promise<number> {
  disk.fill();
  await putValue(near.url, "early", "passed on");
  await until("the directory says why it is not ready", async () => {
    const response = await request(`${cluster.directoryUrl}/readyz`);
    return response.status === 507 && (await response.text()).includes("STORE_FULL");
  });
  for (const { url, id } of [near, far]) {
    await until(`${id} holds back`, async () => (await statusOf(url)).replica.heldBack);
  }
  return 1;
}

function statusOf(url: string): Promise<RegionStatus> {
  return getJson<RegionStatus>(`${url}/status`);
}

describe("a directory whose disk is full", () => {
  it("goes on answering, has its nodes hold back, and takes all they have once there is room", async (context) => {
    const scene = await openScene(context);
    const { cluster, disk, near, far } = scene;
    const { directory } = cluster;
    let keys = 1 + (await fillDisk(scene));
    const { stall, committedThrough } = await getJson<DirectoryStatus>(
      `${cluster.directoryUrl}/status`,
    );
    expect(stall).toMatch(/Could not commit/);
    // It was passed on before it was known that it cannot be stored.
    await until("the other region has it", async () => {
      return (await getText(far.url, "early")) === "passed on";
    });
    let turn = 0;
    for (const untilMs = performance.now() + FULL_MS; performance.now() < untilMs; turn += 1) {
      for (const { id, url } of [near, far]) {
        await putValue(url, `full/${id}/${turn}`, "kept");
        expect(await getText(url, `full/${id}/${turn}`)).toBe("kept");
        keys += 1;
      }
      expect((await cluster.offered()).toSorted()).toEqual([far.id, near.id].toSorted());
      await new Promise((resolve) => setTimeout(resolve, TURN_PAUSE_MS));
    }
    for (const { url } of [near, far]) {
      const { status, replica } = await statusOf(url);
      expect(status).toBe("ready");
      expect(replica.outboxPending).toBeGreaterThanOrEqual(turn);
    }
    expect(await getText(far.url, `full/${near.id}/0`)).toBeUndefined();
    const still = await getJson<DirectoryStatus>(`${cluster.directoryUrl}/status`);
    expect(still.committedThrough).toBe(committedThrough);

    disk.free();
    await cluster.converged(keys);
    expect(await getText(far.url, `full/${near.id}/${turn - 1}`)).toBe("kept");
    expect((await getJson<DirectoryStatus>(`${cluster.directoryUrl}/status`)).stall).toBeNull();
    expect((await request(`${cluster.directoryUrl}/readyz`)).status).toBe(200);
    expect(cluster.directory).toBe(directory);
    const said = directory.lines.filter((line) => line.includes("cannot be written now"));
    expect(said).toHaveLength(1);
    // No link was given up meanwhile.
    const given = cluster.lines().filter((line) => /link to the directory/.test(line));
    expect(given).toEqual([]);
  });

  it("and that is killed then has lost nothing, although what it had passed on was never stored", async (context) => {
    const scene = await openScene(context);
    const { cluster, disk, near, far } = scene;
    const keys = 1 + (await fillDisk(scene));
    await until("the other region has it", async () => {
      return (await getText(far.url, "early")) === "passed on";
    });
    await putValue(near.url, "late", "kept");
    await cluster.killDirectory();
    disk.free();
    await cluster.startDirectory();
    await cluster.converged(keys + 1);
    expect(await getText(far.url, "late")).toBe("kept");
  });
});
