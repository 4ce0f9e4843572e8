import { join } from "node:path";
import { runCli } from "@meridian/cli";
import { afterEach, describe, expect, it, onTestFailed, type TestContext } from "vitest";
import {
  deleteValue,
  getJson,
  getText,
  Program,
  putValue,
  request,
  until,
} from "@meridian/harness";

import { FaultyDisk, type DiskError } from "../support/faulty-disk.ts";
import { SmallDisk } from "../support/small-disk.ts";

/** Each error of a disk, with the code and the status that a program answers. */
const ERRORS: readonly (readonly [error: DiskError, code: string, status: number])[] = [
  ["ENOSPC", "STORE_FULL", 507],
  ["EDQUOT", "STORE_FULL", 507],
  ["EFBIG", "STORE_FULL", 507],
  ["EROFS", "STORE_READ_ONLY", 507],
  ["EIO", "STORE_FAILED", 500],
];

/** How many writes wait for a disk that hangs, and how often a program is asked meanwhile. */
const WAITING = 20;
const ASKED = 50;

interface ListedNode {
  readonly id: string;
  readonly status: string;
  readonly connectedAtMs: number | null;
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function faultyDisk(context: TestContext): FaultyDisk {
  const disk = FaultyDisk.build();
  if (typeof disk === "string") return context.skip(disk);
  ends.push(() => disk.remove());
  return disk;
}

/** How the test starts a program. */
interface Setting {
  readonly data: string;
  readonly launcher?: readonly string[];
  readonly args?: readonly string[];
}

async function run(name: string, kind: "directory" | "region", setting: Setting): Promise<Program> {
  const program = await Program.start({
    name,
    program: kind,
    args: ["--port=0", `--data=${setting.data}`, ...(setting.args ?? [])],
    ...(setting.launcher && { launcher: setting.launcher }),
  });
  ends.push(() => program.kill());
  onTestFailed(() => console.log(program.tail()));
  return program;
}

function runDirectory(setting: Setting): Promise<Program> {
  return run("directory", "directory", setting);
}

function runRegion(id: string, directory: string, setting: Setting): Promise<Program> {
  const place = ["--lat=1", "--lon=2", `--id=${id}`, `--directory=${directory}`];
  return run(id, "region", { ...setting, args: [...place, ...(setting.args ?? [])] });
}

async function nodes(directory: Program): Promise<ReadonlyMap<string, ListedNode>> {
  const listed = await getJson<{ nodes: readonly ListedNode[] }>(`${directory.url}/nodes`);
  return new Map(listed.nodes.map((node) => [node.id, node]));
}

async function offered(directory: Program): Promise<readonly string[]> {
  const answer = await request(`${directory.url}/nearest?lat=0&lon=0&limit=10`);
  const { nodes: found = [] } = (await answer.json()) as { nodes?: readonly ListedNode[] };
  return found.map(({ id }) => id).toSorted();
}

/** The answer of a program to `GET /readyz`. */
async function readiness(program: Program): Promise<readonly [status: number, body: string]> {
  const response = await request(`${program.url}/readyz`);
  return [response.status, await response.text()];
}

/** The output of `meridian verify`, and its exit code. */
async function verify(directory: Program): Promise<{ exitCode: number; text: string }> {
  let text = "";
  const write = (data: string | Uint8Array): unknown => (text += String(data));
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env: {}, colour: false };
  const argv = ["verify", "--directory", directory.url, "--json", "--patience", "1s"];
  return { exitCode: await runCli(argv, io), text };
}

function put(program: Program, key: string, bytes = 10): Promise<Response> {
  return request(`${program.url}/cache/${key}`, { method: "PUT", body: "x".repeat(bytes) });
}

interface Scene {
  readonly disk: FaultyDisk;
  readonly directory: Program;
  readonly sound: Program;
  readonly faulty: Program;
}

/** Makes the disk of one of two regions fail and work again, and checks what the region answers. */
async function suffer(scene: Scene, [error, code, status]: (typeof ERRORS)[number]): Promise<void> {
  const { disk, directory, sound, faulty } = scene;
  disk.fail(error);
  expect((await put(faulty, `own/${error}`)).status).toBe(status);
  const [, said] = await until(`${error} makes it unready`, async () => {
    const ready = await readiness(faulty);
    return ready[0] === status && ready;
  });
  expect(said).toContain(code);
  expect(said).toContain(error);
  await until("the directory says so", async () => {
    return (await nodes(directory)).get("faulty")?.status === "full";
  });
  expect(await getJson<object>(`${faulty.url}/status`)).toMatchObject({ status: "full" });
  expect(await offered(directory)).toEqual(["sound"]);
  const { connectedAtMs } = (await nodes(directory)).get("faulty") ?? {};

  await putValue(sound.url, `other/${error}`, "elsewhere");
  const { exitCode, text } = await verify(directory);
  expect(exitCode).toBe(1);
  expect(text).toContain(`other/${error}`);
  expect(await getText(faulty.url, "before")).toBe("calm");
  expect((await nodes(directory)).get("faulty")?.connectedAtMs).toBe(connectedAtMs);

  disk.heal();
  await until(`${error} is over`, async () => (await readiness(faulty))[0] === 200);
  await until("it is offered", async () => (await offered(directory)).length === 2);
  expect(await getText(faulty.url, `other/${error}`)).toBe("elsewhere");
  expect(await getText(faulty.url, `own/${error}`)).toBeUndefined();
  await putValue(faulty.url, `after/${error}`, "calm");
  await until("it travels again", async () => {
    return (await getText(sound.url, `after/${error}`)) === "calm";
  });
}

describe("a disk that fails later", () => {
  it("makes a region `full`, which serves what it has, keeps its link, and recovers, whatever the error", async (context) => {
    const disk = faultyDisk(context);
    const directory = await runDirectory({ data: join(disk.folder, "sound/directory") });
    const sound = await runRegion("sound", directory.url, { data: join(disk.folder, "sound/r") });
    const { launcher } = disk;
    const data = join(disk.folder, "faulty");
    const faulty = await runRegion("faulty", directory.url, { data, launcher });
    await until("both are offered", async () => (await offered(directory)).length === 2);
    await putValue(faulty.url, "before", "calm");

    for (const error of ERRORS) await suffer({ disk, directory, sound, faulty }, error);
    const said = faulty.lines.filter((line) => line.includes("takes no new values now"));
    expect(said.length).toBeGreaterThanOrEqual(ERRORS.length);
    // The link may be lost once when the fault begins, and once when it ends.
    const given = faulty.lines.filter((line) => line.includes("link to the directory given up"));
    expect(given.length).toBeLessThanOrEqual(2 * ERRORS.length);
  });

  it("makes a directory wait, which answers meanwhile, whatever the error", async (context) => {
    const disk = faultyDisk(context);
    const { launcher } = disk;
    const directory = await runDirectory({ data: join(disk.folder, "directory"), launcher });
    const region = await runRegion("r", directory.url, { data: join(disk.folder, "sound") });
    await until("it is offered", async () => (await offered(directory)).length === 1);
    for (const [error, code] of ERRORS) {
      disk.fail(error);
      await putValue(region.url, `key/${error}`, "kept");
      const [, said] = await until(`${error} makes it unready`, async () => {
        const ready = await readiness(directory);
        return ready[0] >= 500 && ready;
      });
      expect(said).toContain(code);
      expect(said).toContain(error);
      expect(await offered(directory)).toEqual(["r"]);
      disk.heal();
      await until(`${error} is over`, async () => (await readiness(directory))[0] === 200);
      await until("it has what had to wait", async () => {
        const status = await getJson<{ replica: { outboxPending: number } }>(
          `${region.url}/status`,
        );
        return status.replica.outboxPending === 0;
      });
    }
    expect(directory.lines.filter((line) => line.includes("link"))).toEqual([]);
  });
});

describe("a disk that hangs", () => {
  it("keeps the writes of a region waiting, and nothing else", async (context) => {
    const disk = faultyDisk(context);
    const directory = await runDirectory({ data: join(disk.folder, "sound/directory") });
    const sound = await runRegion("sound", directory.url, { data: join(disk.folder, "sound/r") });
    const { launcher } = disk;
    const data = join(disk.folder, "hanging");
    const hanging = await runRegion("hanging", directory.url, { data, launcher });
    await until("both are offered", async () => (await offered(directory)).length === 2);
    await putValue(hanging.url, "before", "calm");

    disk.hang();
    const waiting = Array.from({ length: WAITING }, (_, index) => put(hanging, `waits/${index}`));
    const answered = Promise.race(waiting).then(() => true);
    await putValue(sound.url, "elsewhere", "calm");
    for (let asked = 0; asked < ASKED; asked += 1) {
      expect((await request(`${hanging.url}/healthz`)).status).toBe(200);
      expect(await getText(hanging.url, "before")).toBe("calm");
    }
    expect(await Promise.race([answered, Promise.resolve(false)])).toBe(false);

    disk.heal();
    for (const answer of await Promise.all(waiting)) expect(answer.ok).toBe(true);
    await until("what others wrote arrives", async () => {
      return (await getText(hanging.url, "elsewhere")) === "calm";
    });
    await until("what waited travels", async () => {
      return (await getText(sound.url, `waits/${WAITING - 1}`)) !== undefined;
    });
  });

  it("keeps the log of a directory waiting, which answers meanwhile", async (context) => {
    const disk = faultyDisk(context);
    const { launcher } = disk;
    const directory = await runDirectory({ data: join(disk.folder, "directory"), launcher });
    const data = join(disk.folder, "sound");
    const [a, b] = [
      await runRegion("a", directory.url, { data: join(data, "a") }),
      await runRegion("b", directory.url, { data: join(data, "b") }),
    ];
    await until("both are offered", async () => (await offered(directory)).length === 2);

    disk.hang();
    const waiting = request(`${a.url}/cache/key?ack=directory&timeout=60s`, {
      method: "PUT",
      body: "kept",
      signal: AbortSignal.timeout(60_000),
    });
    for (let asked = 0; asked < ASKED; asked += 1) {
      expect((await request(`${directory.url}/healthz`)).status).toBe(200);
      // The region that waits for the log looks for another directory meanwhile.
      expect(await offered(directory)).toContain("b");
    }
    expect(await Promise.race([waiting.then(() => true), Promise.resolve(false)])).toBe(false);
    disk.heal();
    expect((await waiting).status).toBe(200);
    await until("another region has it", async () => (await getText(b.url, "key")) === "kept");
  });
});

describe("a disk that fails from the start", () => {
  const kinds = ["region", "directory"] as const;
  it.for(kinds)("ends a %s with what is wrong, whatever the error", async (kind, context) => {
    const disk = FaultyDisk.build();
    if (typeof disk === "string") return context.skip(disk);
    ends.push(() => disk.remove());
    const { launcher } = disk;
    const start = (data: string): Promise<Program> =>
      kind === "region"
        ? runRegion("r", "http://127.0.0.1:9", { data, launcher })
        : runDirectory({ data, launcher });
    const used = join(disk.folder, "used");
    await (await start(used)).stop();
    for (const [error, code] of ERRORS) {
      disk.fail(error);
      const data = error === "EROFS" ? join(disk.folder, "new") : used;
      await expect(start(data)).rejects.toThrow(new RegExp(`${code}: .*${error}`));
      disk.heal();
    }
    const sound = await start(used);
    expect((await request(`${sound.url}/healthz`)).status).toBe(200);
  });

  it.each(kinds)(
    "ends a %s on a folder in which no file can be created, and says so",
    async (kind) => {
      const args = kind === "region" ? ["--lat=1", "--lon=2", "--id=r"] : [];
      const started = run(kind, kind, { data: "/proc/x", args });
      await expect(started).rejects.toThrow(
        /STORE_FAILED: Could not create the folder of \/proc\/x/,
      );
    },
  );
});

const DISK_BYTES = 12 * 1024 * 1024;

describe("a disk that is really full", () => {
  it("lets both programs start on the reserved room, serve what they have, and go on once there is room", async (context) => {
    const disk = SmallDisk.mount(DISK_BYTES);
    if (typeof disk === "string") return context.skip(disk);
    ends.push(() => disk.unmount());
    const settings = { data: join(disk.path, "region") };
    let directory = await runDirectory({ data: join(disk.path, "directory") });
    let region = await runRegion("r", directory.url, settings);
    await until("it is offered", async () => (await offered(directory)).length === 1);
    await putValue(region.url, "before", "calm", { ack: "all" });
    await Promise.all([region.stop(), directory.stop()]);

    disk.fill();
    directory = await runDirectory({ data: join(disk.path, "directory") });
    region = await runRegion("r", directory.url, settings);
    await until("the directory lists it", async () => {
      return (await nodes(directory)).get("r")?.status === "full";
    });
    expect(await getText(region.url, "before")).toBe("calm");
    expect((await put(region, "new")).status).toBe(507);
    expect(await offered(directory)).toEqual([]);

    disk.free();
    await until("it is offered again", async () => (await offered(directory)).length === 1);
    await putValue(region.url, "after", "calm", { ack: "all" });
  });

  it("has the same effect as a limit on the size of files: `ulimit -f`", async (context) => {
    const disk = SmallDisk.mount(4 * DISK_BYTES);
    if (typeof disk === "string") return context.skip(disk);
    ends.push(() => disk.unmount());
    const directory = await runDirectory({ data: join(disk.path, "directory") });
    // `ulimit -f` counts blocks of 512 bytes or 1 KiB, depending on the shell: 2 or 4 MiB.
    const launcher = ["sh", "-c", 'ulimit -f 4096; exec "$0" "$@"'];
    const data = join(disk.path, "region");
    const limited = await runRegion("limited", directory.url, { data, launcher });
    await until("it is offered", async () => (await offered(directory)).length === 1);
    let at = 0;
    const fill = async (): Promise<number> => {
      for (; at < 500; at += 1) {
        const { status } = await put(limited, `k${at}`, 50_000);
        if (status !== 200 && status !== 201 && status !== 204) return status;
      }
      return 200;
    };
    expect(await fill()).toBe(507);
    await until("it leaves", async () => (await offered(directory)).length === 0);
    await until("it is full", async () => {
      return (await nodes(directory)).get("limited")?.status === "full";
    });
    expect((await getText(limited.url, "k0"))?.length).toBe(50_000);
    await limited.kill();
    const again = await runRegion("limited", directory.url, { data, launcher });
    await until("it serves", async () => (await request(`${again.url}/cache/k0`)).ok);
    expect((await getText(again.url, "k0"))?.length).toBe(50_000);
  });
});

describe("a bound on the store", () => {
  it("refuses sets with 507 before the disk is full, still accepts deletes and the writes of other regions, and ends by itself", async (context) => {
    const disk = SmallDisk.mount(4 * DISK_BYTES);
    if (typeof disk === "string") return context.skip(disk);
    ends.push(() => disk.unmount());
    const directory = await runDirectory({ data: join(disk.path, "directory") });
    const args = ["--store-bytes-max=4194304"];
    const bounded = await runRegion("bounded", directory.url, { data: join(disk.path, "b"), args });
    const free = await runRegion("free", directory.url, { data: join(disk.path, "f") });
    await until("both are offered", async () => (await offered(directory)).length === 2);
    let at = 0;
    while (at < 500 && (await put(bounded, `k${at}`, 20_000)).ok) at += 1;
    expect((await put(bounded, "one-more", 20_000)).status).toBe(507);
    await until("it leaves", async () => !(await offered(directory)).includes("bounded"));
    await putValue(free.url, "from-elsewhere", "small");
    await until("what others write arrives", async () => {
      return (await getText(bounded.url, "from-elsewhere")) === "small";
    });
    for (let key = 0; key < at; key += 1) await deleteValue(bounded.url, `k${key}`);
    await until("it is back", async () => (await offered(directory)).includes("bounded"));
    await putValue(bounded.url, "one-more", "small");
  });
});
