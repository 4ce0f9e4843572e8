import { startDirectory, type DirectoryOptions, type RunningDirectory } from "@meridian/directory";
import { silentLogger } from "@meridian/runtime";

/** Starts a directory in this process, at a free port. */
export function startSmallDirectory(
  options: Pick<DirectoryOptions, "data"> & Partial<DirectoryOptions>,
): Promise<RunningDirectory> {
  return startDirectory({
    host: "127.0.0.1",
    port: 0,
    cluster: "test",
    durability: "process",
    lagMax: 10_000,
    horizon: 3_600_000,
    logger: silentLogger,
    ...options,
  });
}
