export type { Acknowledgement, AckLevel } from "@meridian/protocol";
export { connect, type ConnectOptions } from "./connect.ts";
export type { CircuitState } from "./circuit.ts";
export type { NodeInfo } from "./directory.ts";
export type { Fetch } from "./exchange.ts";
export type {
  CallOptions,
  DeleteResult,
  KeyInfo,
  KeysOptions,
  RawEntry,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  WriteOptions,
  Written,
} from "./call-options.ts";
export type { FillOptions, LoadContext, Loader } from "./fill/fill-options.ts";
export { isMeridianError } from "./is-meridian-error.ts";
export type { KnownNode, Load, MeridianClient } from "./meridian-client.ts";
export type { Namespace } from "./namespace.ts";
export type { Storable, Stored } from "./storable.ts";
