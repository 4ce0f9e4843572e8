export {
  meridianDriver,
  type Changed,
  type ItemOptions,
  type ItemValue,
  type KeptItem,
  type MeridianDriver,
  type MeridianDriverOptions,
  type NewItem,
} from "./driver.ts";
