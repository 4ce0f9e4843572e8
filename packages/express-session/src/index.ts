export {
  meridianStore,
  type Done,
  type MeridianStore,
  type MeridianStoreOptions,
  type SessionLike,
  type StoredSession,
} from "./store.ts";
