export { notifyReady, notifyStopping, startWatchdog } from "./notify.ts";
export { outliveOutput } from "./output.ts";
export { exitWhenParentDies } from "./parent.ts";
export {
  runServer,
  type RunningServer,
  type ServerProcess,
  type ServerProgram,
} from "./server-program.ts";
