/**
 * What an acknowledged write survives. `process`: the death of the process, by whatever signal.
 * `power`: also the loss of power; every commit then waits for the disk.
 */
export type Durability = "process" | "power";
