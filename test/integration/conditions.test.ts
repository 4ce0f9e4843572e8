/** Conditions for the whole cluster, over HTTP, through real regions and a real directory. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { putValue, request, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "meridian-conditions-"));
const stops: (() => Promise<void>)[] = [];
let [oslo, rome, stopDirectory] = ["", "", (): Promise<void> => Promise.resolve()];

beforeAll(async () => {
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  const start = async (id: string): Promise<string> => {
    const data = join(folder, id);
    const region = await startSmallRegion({ id, data, directory: [directory.url] });
    stops.push(() => region.stop());
    await until(`${id} is ready`, () => region.status === "ready");
    return region.url;
  };
  [oslo, rome] = [await start("oslo"), await start("rome")];
  stopDirectory = () => directory.stop();
  stops.push(stopDirectory);
}, 60_000);

afterAll(async () => {
  for (const stop of stops) await stop();
  rmSync(folder, { recursive: true });
});

const ABSENT = { "if-none-match": "*" };

interface Answer {
  readonly status: number;
  readonly code?: string;
  readonly etag?: string | null;
  readonly detail?: string;
}

async function answerOf(response: Response): Promise<Answer> {
  const body = (await response.json()) as Omit<Answer, "status">;
  return { ...body, status: response.status };
}

async function put(
  region: string,
  key: string,
  value: string,
  headers: Record<string, string>,
  query = "scope=cluster",
): Promise<Answer> {
  const url = `${region}/cache/${key}?${query}`;
  return answerOf(await request(url, { method: "PUT", body: value, headers }));
}

/** The value and ETag of a key as `GET ?scope=cluster` answers them; undefined if there is none. */
async function read(region: string, key: string): Promise<readonly [string, string] | undefined> {
  const response = await request(`${region}/cache/${key}?scope=cluster`);
  const text = await response.text();
  expect([200, 404]).toContain(response.status);
  return response.status === 200 ? [text, response.headers.get("etag") ?? ""] : undefined;
}

describe("a write with scope=cluster", () => {
  it("wins for one of many writers of an absent key, and every region reads the winner's value", async () => {
    for (let round = 0; round < 10; round += 1) {
      const key = `race-${round}`;
      const regions = [oslo, rome, oslo, rome];
      const answers = await Promise.all(
        regions.map((region, writer) => put(region, key, `writer ${writer}`, ABSENT)),
      );
      const winners = answers.flatMap(({ status }, writer) => (status === 200 ? [writer] : []));
      expect(winners).toHaveLength(1);
      const etag = answers[winners[0] ?? 0]?.etag;
      const refused = answers.filter(({ status }) => status !== 200);
      expect(refused.map(({ status, code, ...rest }) => [status, code, rest.etag])).toEqual(
        refused.map(() => [412, "PRECONDITION_FAILED", etag]),
      );
      for (const region of [oslo, rome]) {
        expect(await read(region, key)).toEqual([`writer ${winners[0]}`, etag]);
      }
    }
  });

  it("counts each success of a counter that both regions increment", async () => {
    await put(oslo, "counter", "0", ABSENT);
    const count = async (region: string): Promise<number> => {
      let successes = 0;
      while (successes < 10) {
        const [value, etag] = (await read(region, "counter")) ?? ["", ""];
        const next = String(Number(value) + 1);
        const { status } = await put(region, "counter", next, { "if-match": etag });
        expect([200, 412]).toContain(status);
        if (status === 200) successes += 1;
      }
      return successes;
    };
    const sums = await Promise.all([oslo, rome, oslo, rome].map(count));
    const sum = sums.reduce((total, each) => total + each, 0);
    expect((await read(rome, "counter"))?.[0]).toBe(String(sum));
  });

  it("deletes a version once, and then the key is free", async () => {
    const { etag } = await put(oslo, "lock", "mine", ABSENT);
    const remove = async (region: string): Promise<number> => {
      const headers = { "if-match": etag ?? "" };
      const url = `${region}/cache/lock?scope=cluster`;
      return (await request(url, { method: "DELETE", headers })).status;
    };
    expect([await remove(rome), await remove(oslo)]).toEqual([200, 412]);
    expect(await read(oslo, "lock")).toBeUndefined();
    expect((await put(rome, "lock", "yours", ABSENT)).status).toBe(200);
  });
});

describe("scope=cluster", () => {
  it("refuses a condition on a version that was written plainly, also over a scoped one", async () => {
    const { etag } = await putValue(oslo, "plain", "one", { ack: "all" });
    const told = await put(rome, "plain", "two", { "if-match": etag });
    expect([told.status, told.code]).toEqual([409, "NOT_SCOPED"]);
    expect((await put(rome, "plain", "two", ABSENT)).status).toBe(412);

    await put(oslo, "mixed", "scoped", ABSENT);
    const url = `${oslo}/touch?key=mixed&ttl=1h&ack=all`;
    const touched = await answerOf(await request(url, { method: "POST" }));
    const over = await put(rome, "mixed", "again", { "if-match": touched.etag ?? "" });
    expect(over.code).toBe("NOT_SCOPED");
  });

  it("takes one condition, and no more than the directory decides", async () => {
    const code = async (headers: Record<string, string>, query?: string): Promise<string> =>
      (await put(oslo, "odd", "v", headers, query)).code ?? "";
    expect(await code({})).toBe("INVALID_ARGUMENT");
    expect(await code({ "if-match": "*" })).toBe("INVALID_ARGUMENT");
    expect(await code({ "if-match": '"1-1", "2-2"' })).toBe("INVALID_ARGUMENT");
    expect(await code(ABSENT, "scope=world")).toBe("INVALID_ARGUMENT");
    expect(await code(ABSENT, "scope=cluster&ack=all")).toBe("INVALID_ARGUMENT");
    const stale = await request(`${oslo}/cache/odd?scope=cluster&stale=true`);
    expect((await answerOf(stale)).code).toBe("INVALID_ARGUMENT");
    const batch = { method: "POST", body: '{"keys":["a"]}' };
    const refused = await request(`${oslo}/batch/get?scope=cluster`, batch);
    expect((await answerOf(refused)).code).toBe("UNKNOWN_OPTION");
  });

  it("is refused, and writes nothing, once the directory is gone", async () => {
    await stopDirectory();
    const told = await put(oslo, "alone", "v", ABSENT);
    expect([told.status, told.code]).toEqual([503, "CONDITIONS_UNAVAILABLE"]);
    const response = await request(`${oslo}/cache/alone?scope=cluster`);
    expect((await answerOf(response)).code).toBe("CONDITIONS_UNAVAILABLE");
    expect((await request(`${oslo}/cache/alone`)).status).toBe(404);
  });
});
