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
  KnownNode,
  MeridianClient,
  RawEntry,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  WriteOptions,
  Written,
} from "./meridian-client.ts";
