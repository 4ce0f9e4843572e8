/** Lists the contents of a package: as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/), and the licences for people. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

import type { StagedModule } from "./staged-modules.ts";

/** The contents of a package. */
export interface Contents {
  readonly version: string;
  /** When it was made, in seconds since the Unix epoch: that of the sources. */
  readonly epoch: number;
  readonly node: { readonly version: string; readonly file: string; readonly licence: string };
  readonly modules: readonly StagedModule[];
}

/** The bill of materials, the same for the same contents. */
export function billOfMaterials({ version, epoch, node, modules }: Contents): string {
  const components = [
    {
      type: "application",
      "bom-ref": `node@${node.version}`,
      name: "node",
      version: node.version,
      licenses: [{ license: { id: "MIT" } }],
      hashes: [{ alg: "SHA-256", content: sha256(readFileSync(node.file)) }],
    },
    ...modules.map(({ name, version: of, licence }) => ({
      type: "library",
      "bom-ref": `${name}@${of}`,
      name,
      version: of,
      licenses: [{ expression: licence }],
      purl: `pkg:npm/${name.replace("@", "%40")}@${of}`,
    })),
  ];
  const timestamp = new Date(epoch * 1_000).toISOString();
  const metadata = {
    timestamp,
    component: { type: "application", "bom-ref": "meridian", name: "meridian", version },
  };
  // The serial number depends on the contents, so that the same contents give the same bytes.
  const digits = sha256(JSON.stringify({ metadata, components }));
  const serial = digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-4$3-8$4-$5");
  const bill = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${serial}`,
    version: 1,
    metadata,
    components,
    dependencies: [{ ref: "meridian", dependsOn: components.map((each) => each["bom-ref"]) }],
  };
  return `${JSON.stringify(bill, null, 2)}\n`;
}

/** The licences of all third-party code, one after the other. */
export function thirdPartyLicences({ node, modules }: Contents): string {
  const rule = "=".repeat(100);
  const parts = modules.map(({ name, version, licence, texts }) =>
    [`${name} ${version} (${licence})`, ...texts].join("\n\n"),
  );
  return `${[`Node.js ${node.version}\n\n${node.licence.trim()}`, ...parts].join(`\n\n${rule}\n`)}\n`;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
