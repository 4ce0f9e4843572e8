/** Makes reports of the exports of published packages, one for each entry point, by API Extractor (https://api-extractor.com). */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  CompilerState,
  Extractor,
  ExtractorConfig,
  ExtractorLogLevel,
} from "@microsoft/api-extractor";

/** A report of the public names of one entry of a package. */
export interface ApiReport {
  /** The path of the report, from the root of the repository. */
  readonly file: string;
  readonly text: string;
}

interface Entry {
  /** The folder of the package, from the root. */
  readonly folder: string;
  /** Its declarations, from the folder of the package. */
  readonly types: string;
}

/** Makes the reports of the packages in `folders` under `root`, which have been built. Throws if one cannot be made. */
export function apiReports(root: string, folders: readonly string[]): ApiReport[] {
  const entries = folders.flatMap((folder) => entriesOf(root, folder));
  const reports = mkdtempSync(join(tmpdir(), "meridian-api-"));
  try {
    const configs = entries.map((entry) => configOf(root, entry, reports));
    const [first] = configs;
    if (first === undefined) return [];
    // One program of all entries: each package uses most of the others.
    const compilerState = CompilerState.create(first, {
      additionalEntryPoints: entries.map(({ folder, types }) => join(root, folder, types)),
    });
    return configs.map((config, index) => {
      const { succeeded } = Extractor.invoke(config, {
        compilerState,
        localBuild: true,
        messageCallback: (message) => {
          message.handled = message.logLevel !== ExtractorLogLevel.Error;
        },
      });
      const file = reportFile(entries[index]);
      if (!succeeded) throw new Error(`Expected a report ${file}, got errors of API Extractor.`);
      return { file, text: readFileSync(config.reportFilePath, "utf8") };
    });
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
}

function entriesOf(root: string, folder: string): Entry[] {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as {
    readonly exports: Readonly<Record<string, string | { readonly types?: string }>>;
  };
  return Object.values(manifest.exports)
    .map((each) => (typeof each === "string" ? undefined : each.types))
    .filter((types) => types !== undefined)
    .map((types) => {
      const path = join(root, folder, types);
      if (!existsSync(path)) throw new Error(`Expected ${path} to be built, got no such file.`);
      return { folder, types };
    });
}

/** `packages/cache/core.api.md` for `./dist/core.d.ts`, `packages/protocol/socket-api-binary.api.md` for `./dist/socket-api/binary.d.ts`. */
function reportFile(entry: Entry | undefined): string {
  const { folder = "", types = "" } = entry ?? {};
  const name = types.replace(/^\.\/dist\//, "").replace(/(?<!^)\/index\.d\.ts$|\.d\.ts$/, "");
  return `${folder}/${name.replaceAll("/", "-")}.api.md`;
}

function configOf(root: string, entry: Entry, reports: string): ExtractorConfig {
  const projectFolder = join(root, entry.folder);
  const main = join(projectFolder, entry.types);
  const silent = { default: { logLevel: ExtractorLogLevel.None } };
  return ExtractorConfig.prepare({
    configObjectFullPath: undefined,
    packageJsonFullPath: join(projectFolder, "package.json"),
    configObject: {
      projectFolder,
      mainEntryPointFilePath: main,
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            module: "nodenext",
            target: "es2023",
            lib: ["es2023"],
            types: ["node"],
            strict: true,
            skipLibCheck: true,
          },
          files: [main],
        },
      },
      newlineKind: "lf",
      apiReport: {
        enabled: true,
        reportFolder: reports,
        reportTempFolder: join(reports, "unchecked"),
        reportFileName: reportFile(entry).replaceAll("/", "-"),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        extractorMessageReporting: silent,
        tsdocMessageReporting: silent,
        compilerMessageReporting: { default: { logLevel: ExtractorLogLevel.Error } },
      },
    },
  });
}
