#!/usr/bin/env node
import { fileURLToPath } from "node:url";

import { BUNDLE, loadBundle } from "./load-bundle.ts";

// `bundleProgram` makes the `main.js` of a program of this.
loadBundle(fileURLToPath(new URL(BUNDLE, import.meta.url))).run();
