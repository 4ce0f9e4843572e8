#!/usr/bin/env node
import { fileURLToPath } from "node:url";

import { bundleOf, loadBundle } from "./load-bundle.ts";

// `bundleProgram` makes the `main.js` of a program of this.
loadBundle(bundleOf(fileURLToPath(import.meta.url))).run();
