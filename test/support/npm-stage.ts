import { connect, type MeridianClient } from "@meridian/client";
import { type BothPrograms, startBothPrograms } from "@meridian/harness";
import { afterAll } from "vitest";

import { NpmFolder } from "./npm-folder.ts";

/** What the tests of an adapter use: packages of another project, both programs, and a client of the region. */
export interface NpmStage {
  readonly folder: NpmFolder;
  readonly programs: BothPrograms;
  readonly client: MeridianClient;
  /** Makes a further client of the region, which the caller closes. */
  readonly toRegion: () => Promise<MeridianClient>;
}

/** Installs `name@version`s and starts both programs, for the tests of one file. All of it is gone after them. */
export async function npmStage(...packages: readonly string[]): Promise<NpmStage> {
  const folder = new NpmFolder();
  folder.install(...packages);
  const programs = await startBothPrograms();
  const toRegion = (): Promise<MeridianClient> =>
    connect({ nodes: [programs.region], deadlineMs: 60_000 });
  const client = await toRegion();
  afterAll(async () => {
    client.close();
    await programs.stop();
    folder.remove();
  });
  return { folder, programs, client, toRegion };
}
