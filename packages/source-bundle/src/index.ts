export { bundleSource, type BundleOptions } from "./source-bundle.ts";
