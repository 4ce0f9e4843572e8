/** `meridian dev` as a process with children: what it starts, restarts, stops and leaves behind. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { freePort, lives, programsOf, start, temporary, untilGone } from "./dev-run.ts";

/** The process numbers of every child there ever was. */
function pids(data: string): number[] {
  const folders = readdirSync(data).filter((name) => name !== "dev.json");
  return folders.flatMap((name) =>
    readdirSync(join(data, name)).map((file) => Number.parseInt(file, 10)),
  );
}

function pidOf(data: string, name: string): number {
  return Math.max(...readdirSync(join(data, name)).map((file) => Number.parseInt(file, 10)));
}

function storyOf(data: string, name: string): string {
  const folder = join(data, name);
  return readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), "utf8"))
    .join("");
}

test("once every program is ready, the addresses and three curl lines are printed to stdout", async () => {
  const data = temporary();
  const run = await start({ data }, { MERIDIAN_LAT: "5" });
  await run.says(/Ready in .* a directory and 2 regions/);
  await run.says(/curl -i/);
  expect(run.stdout().match(/^ {2}curl /gm)).toHaveLength(3);
  expect(run.stdout()).toMatch(/^montreal +45\.5019 +-73\.5674 +http:/m);
  expect(run.stdout()).not.toMatch(/hello from/);
  expect(storyOf(data, "montreal")).toMatch(/--id=montreal --lat=45\.5019 --lon=-73\.5674/);
  // The programs refuse variables they do not know.
  expect(storyOf(data, "montreal")).not.toMatch(/strays/);
  run.parent.kill("SIGINT");
  expect(await run.ended).toBe(0);
});

test("every line of every program has its name in front, the last one without a line break too", async () => {
  const run = await start({ data: temporary() });
  await run.says(/Ready/);
  run.parent.kill("SIGTERM");
  await run.ended;
  for (const name of ["directory", "montreal ", "frankfurt"]) {
    expect(run.text()).toContain(`${name} | hello from ${name.trim()}\n`);
    expect(run.text()).toContain(`${name} | no line break at the end\n`);
  }
});

test("several directories are told of each other, and the regions of all", async () => {
  const data = temporary();
  const port = await freePort();
  const run = await start({ data, port: String(port), directories: "2", regions: "1" });
  await run.says(/Ready in .* 2 directories and 1 region\./);
  const [first, second] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${port + 1}`];
  expect(storyOf(data, "directory")).toContain(`--peer=${second}`);
  expect(storyOf(data, "directory-2")).toContain(`--peer=${first}`);
  // Each connection goes by a line of its own, which can be cut.
  expect(storyOf(data, "montreal")).toMatch(/--directory=(http:\/\/127\.0\.0\.1:\d+,?){2}\n/);
  run.parent.kill("SIGINT");
  expect(await run.ended).toBe(0);
  expect(pids(data).filter(lives)).toEqual([]);
});

test("of a cluster file, the programs get the whole, but addresses of this machine", async () => {
  const folder = temporary();
  const config = join(folder, "cluster.json");
  const port = await freePort();
  const directories = [
    {
      id: "main",
      url: "http://10.0.0.1:7400",
      host: "0.0.0.0",
      data: "/d",
      tlsCert: "/c",
      tlsKey: "/k",
    },
  ];
  const regions = [{ id: "paris", lat: 48.86, lon: 2.35, url: "http://10.0.0.2:7401" }];
  writeFileSync(config, JSON.stringify({ directories, regions }));
  const data = join(folder, "data");
  const run = await start({ data, config, port: String(port), regions: undefined });
  await run.says(/Ready in .* a directory and 1 region\./);
  const common = `--cluster-file=${config} --insecure-no-tls --insecure-no-tokens --host=127.0.0.1`;
  expect(storyOf(data, "main")).toContain(
    `started ${common} --port=${port} --data=${join(data, "main")} --id=main\n`,
  );
  expect(storyOf(data, "paris").replace(/(--directory=\S+:)\d+/, "$1…")).toContain(
    `started ${common} --port=${port + 1} --data=${join(data, "paris")} --id=paris --lat=48.86 --lon=2.35 ` +
      `--directory=http://127.0.0.1:… --url=http://127.0.0.1:${port + 1}\n`,
  );
  run.parent.kill("SIGINT");
  expect(await run.ended).toBe(0);
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s stops the regions, then the directory, and leaves no process",
  async (signal) => {
    const data = temporary();
    const run = await start({ data });
    await run.says(/Ready/);
    const all = pids(data);
    expect(all).toHaveLength(3);
    run.parent.kill(signal);
    expect(await run.ended).toBe(0);
    expect(all.filter(lives)).toEqual([]);
    for (const name of ["directory", "montreal", "frankfurt"]) {
      expect(storyOf(data, name)).toMatch(/SIGTERM/);
    }
    expect(run.text()).toMatch(/everything has stopped/);
  },
  30_000,
);

test("a second signal kills what does not stop", async () => {
  const data = temporary();
  const run = await start({ data }, { TEST_MONTREAL: "stubborn" });
  await run.says(/Ready/);
  const all = pids(data);
  run.parent.kill("SIGINT");
  await run.says(/SIGINT: stopping/);
  run.parent.kill("SIGINT");
  expect(await run.ended).toBe(1);
  expect(all.filter(lives)).toEqual([]);
});

test("when the parent is killed, the programs end by themselves", async () => {
  const run = await start({ data: temporary() }, { TEST_PROGRAM: "" });
  await run.says(/Ready/);
  const all = programsOf(run);
  expect(all).toHaveLength(3);
  run.parent.kill("SIGKILL");
  await untilGone(all);
});

test("when the parent is killed while the programs are still starting, they end by themselves", async () => {
  const run = await start({ data: temporary() }, { TEST_PROGRAM: "" });
  for (let turn = 0; turn < 2_000 && programsOf(run).length < 3; turn += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const all = programsOf(run);
  expect(all).toHaveLength(3);
  run.parent.kill("SIGKILL");
  await untilGone(all);
  expect(run.text()).not.toMatch(/Ready/);
});

test.each(["frankfurt", "directory"])(
  "%s is started again when it dies, and that is said",
  async (name) => {
    const data = temporary();
    const run = await start({ data });
    await run.says(/Ready/);
    process.kill(pidOf(data, name), "SIGKILL");
    await run.says(
      new RegExp(`dev +\\| ${name} ended \\(signal SIGKILL\\); it is started again in \\d+ ms`),
    );
    await run.says(new RegExp(`dev +\\| ${name} is ready again`));
    expect(readdirSync(join(data, name))).toHaveLength(2);
    const all = pids(data);
    run.parent.kill("SIGINT");
    expect(await run.ended).toBe(0);
    expect(all.filter(lives)).toEqual([]);
  },
  30_000,
);

test("a program that refuses its configuration ends everything, with why", async () => {
  const data = temporary();
  const run = await start({ data }, { TEST_FRANKFURT: "refuses" });
  expect(await run.ended).toBe(1);
  expect(run.text()).toMatch(/stopping: frankfurt refuses its configuration \(exit code 2\)/);
  expect(pids(data).filter(lives)).toEqual([]);
});

test("data is kept between runs, and `fresh` starts without it", async () => {
  const data = join(temporary(), "inner");
  for (const [fresh, count] of [
    [false, 1],
    [false, 2],
    [true, 1],
  ] as const) {
    const run = await start({ data, fresh, regions: "1" });
    await run.says(/Ready/);
    expect(readdirSync(join(data, "montreal"))).toHaveLength(count);
    run.parent.kill("SIGINT");
    expect(await run.ended).toBe(0);
  }
  expect(existsSync(join(data, "directory"))).toBe(true);
});
