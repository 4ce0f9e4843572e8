export { notifyReady, notifyStopping, startWatchdog, type WatchdogClock } from "./notify.ts";
export { outliveOutput } from "./output.ts";
export { exitWhenParentDies } from "./parent.ts";
