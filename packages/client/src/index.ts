export type { Acknowledgement, AckLevel } from "@meridian/protocol";
export { connect, type ConnectOptions, type Token } from "./connect.ts";
export type { CircuitState } from "./circuit.ts";
export { deletePrefix } from "./delete-prefix.ts";
export type { NodeInfo } from "./directory.ts";
export type { ClientEvents, NamedNode } from "./events.ts";
export type { Fetch } from "./exchange.ts";
export type {
  CallOptions,
  DeleteManyResult,
  DeleteResult,
  EntriesOptions,
  EntryInfo,
  KeyInfo,
  KeysOptions,
  RawEntry,
  ReadOptions,
  Scope,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  UpdateOptions,
  WriteOptions,
  Written,
} from "./call-options.ts";
export type { TouchOptions } from "./change-requests.ts";
export type { Codec } from "./codecs/codec.ts";
export { json } from "./codecs/json.ts";
export { richJson, type RichJson } from "./codecs/rich-json.ts";
export type {
  SchemaIn,
  SchemaIssue,
  SchemaOut,
  SchemaOutcome,
  StandardSchema,
} from "./codecs/standard-schema.ts";
export type { FillOptions, LoadContext, Loader } from "./fill/fill-options.ts";
export { fromEnv } from "./from-env.ts";
export { isMeridianError } from "./is-meridian-error.ts";
export { lock, type Lock, type LockOptions } from "./lock.ts";
export type { ClientStatus, KnownNode, Load, MeridianClient } from "./meridian-client.ts";
export type { Namespace } from "./namespace.ts";
export type { NamespaceTerms } from "./namespace-options.ts";
export type { NearStatus } from "./near/near-cache.ts";
export type { NearOptions } from "./near/near-options.ts";
export type { Transport } from "./socket-links.ts";
export { cached, type CachedOptions, type WrapOptions } from "./wrap.ts";
export type { Storable, Stored } from "./storable.ts";
export { untilDone } from "./until-done.ts";
export type { WatchEvent, WatchOptions } from "./watch.ts";
