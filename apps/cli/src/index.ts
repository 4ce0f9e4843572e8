export { findPrograms, type DevPrograms } from "./dev/programs.ts";
export { LinkProxy, type Flow } from "./drill/link-proxy.ts";
export { EXIT, type CliIo } from "./io.ts";
export { runCli } from "./run-cli.ts";
export { skewedClock } from "./drill/skewed-clock.ts";
