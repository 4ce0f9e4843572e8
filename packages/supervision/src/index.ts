export { LineSplitter } from "./line-splitter.ts";
export {
  commandOf,
  ManagedProcess,
  plainEnvironment,
  type ManagedProcessOptions,
  type NodeProgram,
  type ProcessEnd,
} from "./managed-process.ts";
export { extendStart, notifyReady, notifyStopping, startWatchdog } from "./notify.ts";
export { outliveOutput } from "./output.ts";
export { exitWhenParentDies } from "./parent.ts";
export { registerBuild, registerProcess } from "./process-metrics.ts";
export {
  runServer,
  type RunningServer,
  type ServerProcess,
  type ServerProgram,
} from "./server-program.ts";
export { SERVER_EXIT, SERVER_EXIT_MEANINGS } from "./server-exit.ts";
