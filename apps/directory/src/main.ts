#!/usr/bin/env node
import { setFlagsFromString } from "node:v8";

// While the modules are loaded, V8's young generation stays small. `runServer` bounds it from then on.
setFlagsFromString("--semi-space-growth-factor=1");
void import("./program.ts");
