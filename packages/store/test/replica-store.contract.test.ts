import { openReplicaStore, type SqliteReplicaStore } from "@meridian/store";
import { replicaStoreContract } from "@meridian/testkit";
import { afterAll } from "vitest";
import { folded, StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

replicaStoreContract<SqliteReplicaStore>(
  "SqliteReplicaStore",
  {
    open: (name) => openReplicaStore(folder.options(name)),
    close: (store) => store.close(),
    crash: (store) => store.abort(),
    idle: folded,
  },
  25,
);
