import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { ROOT } from "@meridian/harness";

/** The folders of all packages and programs, from the root. */
export function packageFolders(): string[] {
  return ["packages", "apps"].flatMap((parent) =>
    readdirSync(join(ROOT, parent))
      .map((name) => join(parent, name))
      .filter((folder) => existsSync(join(ROOT, folder, "package.json"))),
  );
}

/** The folders of those that are published. */
export function publishedFolders(): string[] {
  return packageFolders().filter((folder) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")) as {
      readonly private?: boolean;
    };
    return manifest.private !== true;
  });
}
