export {
  MeridianBus,
  meridianBusDriver,
  type BusHandler,
  type BusRetryQueue,
  type MeridianBusOptions,
} from "./bus.ts";
export { MeridianDriver, meridianDriver, type MeridianDriverOptions } from "./driver.ts";
