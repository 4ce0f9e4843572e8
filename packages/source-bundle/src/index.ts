export { importFile } from "./import-file.ts";
export { bundleSource, type BundleOptions } from "./source-bundle.ts";
