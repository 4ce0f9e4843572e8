/** A process that writes as fast as it can, and reports each acknowledged write to its parent, which kills it. */
import { systemRandom } from "@meridian/runtime";
import { openDirectoryLog, openReplicaStore } from "@meridian/store";
import { entry, frame, local } from "./records.ts";
import { StoreFolder } from "./store-folder.ts";

const [kind, path = ""] = process.argv.slice(2);
const folder = new StoreFolder();
// Each process draws identities of its own.
const options = { ...folder.options("unused"), random: systemRandom, path };
folder.remove();

function acknowledge(through: number): void {
  process.send?.(through);
}

if (kind === "replica") {
  const store = await openReplicaStore(options);
  let next = store.outboxThrough + 1;
  const write = (): void => {
    for (const end = next + 5; next < end; next += 1) {
      const at = next;
      store.append(local(at, [entry(`key-${at}`, at), entry("hot", at)]), () => acknowledge(at));
    }
    setImmediate(write);
  };
  write();
} else {
  const log = await openDirectoryLog(options);
  let next = log.committedThrough;
  const write = (): void => {
    for (const end = next + 5; next < end; next += 1) {
      const through = next + 1;
      const entries = [entry(`key-${next % 100}`, through)];
      log.append(frame(next, entries, through), () => acknowledge(through));
    }
    setImmediate(write);
  };
  write();
}
