import {
  directoryLogContract,
  emptyLogDisk,
  emptyReplicaDisk,
  MemoryDirectoryLog,
  MemoryReplicaStore,
  replicaStoreContract,
  type LogDisk,
  type ReplicaDisk,
} from "@meridian/testkit";

const later = (callback: () => void): void => void setImmediate(callback);
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

let identities = 0;

/** Returns a function that creates the disk of each name once. */
function disks<Disk>(create: (identity: number) => Disk): (name: string) => Disk {
  const kept = new Map<string, Disk>();
  return (name) => {
    const disk = kept.get(name) ?? create((identities += 1));
    kept.set(name, disk);
    return disk;
  };
}

const replicaDisk = disks<ReplicaDisk>(emptyReplicaDisk);
const logDisk = disks<LogDisk>(emptyLogDisk);

/** Waits until all appended records are durable. */
async function settled(): Promise<void> {
  await soon();
  await soon();
}

replicaStoreContract<MemoryReplicaStore>(
  "MemoryReplicaStore",
  {
    open: (name) => Promise.resolve(new MemoryReplicaStore(replicaDisk(name), later)),
    close: settled,
    crash: (store) => Promise.resolve(store.crash()),
    idle: async (store) => {
      await settled();
      store.sweep(Infinity);
    },
  },
  100,
);

directoryLogContract<MemoryDirectoryLog>(
  "MemoryDirectoryLog",
  {
    open: (name) => {
      identities += 1;
      return Promise.resolve(new MemoryDirectoryLog(logDisk(name), identities, later, 3));
    },
    close: settled,
    crash: (log) => Promise.resolve(log.crash()),
    idle: async (log) => {
      await settled();
      log.sweep(Infinity);
    },
  },
  100,
);
