import { expect, it } from "vitest";

import { mayRunPrograms } from "./memory-folder.ts";

const DISK = "/dev/vda / ext4 rw,relatime 0 0\n";

it.each([
  [true, "tmpfs /dev/shm tmpfs rw,nosuid,nodev 0 0"],
  [false, "shm /dev/shm tmpfs rw,nosuid,nodev,noexec,relatime,size=65536k 0 0"],
  [false, "/dev/vdb /dev/shm ext4 rw 0 0"],
  [false, "tmpfs /run tmpfs rw 0 0"],
])("whether programs run from the folder in memory is %s for `%s`", (mayRun, line) => {
  expect(mayRunPrograms(DISK + line)).toBe(mayRun);
  expect(mayRunPrograms(`${DISK}tmpfs /dev/shm tmpfs rw 0 0\n${line}\n`)).toBe(
    mayRun || line.includes("/run"),
  );
});
