import { runCli } from "@meridian/cli";
import { FIVE_PLACES, request, startCluster, until } from "@meridian/harness";
import { expect, it } from "vitest";

interface DirectoryStatus {
  readonly conditions: { readonly decides: boolean; readonly why: string | null };
}

it("a directory that has lost its log decides no conditions, after a restart either, until an operator accepts that", async () => {
  const cluster = await startCluster(FIVE_PLACES.slice(0, 2));
  // Each start has another port.
  const url = (): string => cluster.directoryUrl;
  const decides = async (): Promise<boolean> => {
    const { conditions } = (await (await request(`${url()}/status`)).json()) as DirectoryStatus;
    return conditions.decides;
  };
  const lock = async (key: string): Promise<number> => {
    const target = `${cluster.regions[0]?.url}/cache/${key}?scope=cluster`;
    const headers = { "if-none-match": "*" };
    return (await request(target, { method: "PUT", body: "mine", headers })).status;
  };
  const meridian = async (...argv: string[]): Promise<string> => {
    let text = "";
    const write = (data: string | Uint8Array): unknown => (text += String(data));
    const io = { stdout: { write }, stderr: { write }, stdin: undefined, colour: false };
    const code = await runCli([...argv, "--directory", url()], { ...io, env: {} });
    return `${code} ${text}`;
  };
  const areReady = (): Promise<unknown> =>
    Promise.all(cluster.regions.map((region) => region.reaches("ready")));
  expect([await lock("before"), await decides()]).toEqual([200, true]);

  await cluster.killDirectory();
  cluster.emptyDirectory();
  await cluster.startDirectory();
  await until("the loss is known", async () => !(await decides()));
  await areReady();
  await cluster.killDirectory();
  await cluster.startDirectory();
  await areReady();
  expect(await lock("refused")).toBe(503);
  expect(await meridian("conditions", "status")).toMatch(
    /^1 .*decides no conditions, since .*another log/,
  );
  expect(await meridian("status")).toContain("meridian conditions accept");
  const metrics = await (await request(`${url()}/metrics`)).text();
  expect(metrics).toMatch(/^meridian_log_doubted 1$/m);

  expect(await meridian("conditions", "accept")).toMatch(/^2 .*may be won once more/s);
  expect(await decides()).toBe(false);
  expect(await meridian("conditions", "accept", "--yes")).toMatch(/^0 .*decides conditions again/);
  expect(await lock("accepted")).toBe(200);
  await cluster.killDirectory();
  await cluster.startDirectory();
  await areReady();
  expect(await lock("again")).toBe(200);
  expect(await meridian("conditions", "status")).toMatch(/^0 .*: decides conditions$/m);
});
