/** Programs that are told to read their options again. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { getJson, Program, until } from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

interface Bound {
  readonly name: string;
  readonly max: number;
}

it.each([
  ["directory", ["httpConnections 20", "httpConnections 8"]],
  ["region", ["httpConnections 20, webSockets 10", "httpConnections 8, webSockets 4"]],
] as const)(
  "a %s takes on what its cluster file says of connections when it gets SIGHUP",
  async (program, [before, after]) => {
    const folder = mkdtempSync(join(tmpdir(), "meridian-reload-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const path = join(folder, "cluster.json");
    const say = (connectionsMax: number): void =>
      writeFileSync(
        path,
        JSON.stringify({
          directories: [{ id: "main", port: 9, data: join(folder, "log") }],
          regions: [
            { id: "paris", lat: 48.9, lon: 2.4, data: join(folder, "paris"), standalone: true },
          ],
          limits: { connectionsMax },
        }),
      );
    say(20);
    const id = program === "directory" ? "main" : "paris";
    const args = ["--cluster-file", path, "--id", id, "--port", "0"];
    const running = await Program.start({ name: id, program, args });
    onTestFinished(() => running.kill());
    const bounds = async (): Promise<string> => {
      const { gauges } = await getJson<{ readonly gauges: readonly Bound[] }>(
        `${running.url}/status`,
      );
      const own = gauges.filter(({ name }) => name === "httpConnections" || name === "webSockets");
      return own.map(({ name, max }) => `${name} ${max}`).join(", ");
    };
    expect(await bounds()).toBe(before);
    say(8);
    running.signal("SIGHUP");
    await until("the bounds are others", async () => (await bounds()) === after);
    expect(running.lines.join("\n")).toMatch(
      /an option has changed.*--connections-max was=20 is=8/,
    );
  },
);
