import { openReplicaStore, type SqliteReplicaStore } from "@meridian/store";
import { replicaStoreContract } from "@meridian/testkit";
import { afterAll } from "vitest";
import { HISTORIES, purged, StoreFolder } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

replicaStoreContract<SqliteReplicaStore>(
  "SqliteReplicaStore without a redo file",
  {
    open: (name) => openReplicaStore(folder.options(name, { sweepEveryMs: 2, redo: false })),
    close: (store) => store.close(),
    crash: (store) => store.abort(),
    idle: purged,
  },
  HISTORIES,
);
