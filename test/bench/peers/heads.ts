/** How the rows of the benchmark of peers are told. */
import type { RowHead } from "./results.ts";

const RATE = { figure: "requestsPerSecond", title: "requests/s", ratio: true } as const;
const CPU = { figure: "cpuMicros", title: "CPU µs a request", ratio: true } as const;
const YARDSTICK = "bare node:http";

/** The rows, in the order in which they are measured. */
export const HEADS: readonly RowHead[] = [
  {
    name: "get",
    title: "GET that hits, 100 bytes",
    method:
      "`wrk -t1 -c50` asks for one key. nginx has one worker; its cache stands in front of a region of Meridian. webdis (two threads, as in Debian's settings) stands in front of redis-server. CPU is that of all processes of a server.",
    figures: [RATE, CPU],
    yardstick: YARDSTICK,
  },
  {
    name: "put",
    title: "PUT of 100 bytes",
    method:
      "`wrk -t1 -c50` writes 10 000 keys in turn, to servers without replicas. An acknowledged write survives the death of the process with Meridian `--durability=process` and redis `appendfsync everysec`, and a power cut with `power` and `always`. CPU includes what a server does after the last answer. The bare server stores nothing.",
    figures: [RATE, CPU],
    yardstick: YARDSTICK,
  },
  {
    name: "nearest",
    title: "GET /nearest, three of all nodes",
    method:
      "`wrk -t1 -c50` asks the part of a directory that answers over HTTP for the nodes near 1 000 places in turn, for which a directory keeps its answers, or never for the same place twice. The nodes are made up, spread over the Earth, and read anew ten times a second: a directory has links with up to 3 000. The bare server answers as many bytes.",
    figures: [RATE, CPU],
    yardstick: YARDSTICK,
  },
  {
    name: "replication",
    title: "Replicated sets, three servers",
    method:
      "1 000 sets a second of 100 bytes, paced by the clock: to one of two regions with their directory (Meridian, over HTTP), to a primary with two replicas (redis, append-only files, everysec), to one of three servers with three copies (NATS, key-value bucket in files). CPU is that of all servers for one set. Lag is from the sending of a set until another server, asked again and again, answers with it.",
    figures: [
      { figure: "cpuMicros", title: "CPU µs a set" },
      { figure: "lagP50Ms", title: "lag p50, ms" },
      { figure: "lagP99Ms", title: "lag p99, ms" },
    ],
  },
  {
    name: "memory",
    title: "Memory of an entry",
    method:
      "What a server takes for each of a million entries beyond its key (19 bytes) and value (100 bytes), against the same server without entries: resident memory; what of it each further entry takes, after the first fifth of them; and live memory, which is heap and buffers after a collection of garbage (Meridian, main thread) or `used_memory` (redis). Resident memory is read once the server has had nothing to do for a moment: V8 has not collected all its garbage then.",
    figures: [
      { figure: "residentBytes", title: "resident, bytes" },
      { figure: "furtherBytes", title: "a further entry, bytes" },
      { figure: "liveBytes", title: "live, bytes" },
    ],
  },
  {
    name: "catch-up",
    title: "Catching up",
    method:
      "One of the servers of the row of replication is stopped and misses sets of 100 bytes. From the start of its process until it answers with the last of them (NATS: until its own monitor tells the last sequence). redis has a backlog that holds all of it.",
    figures: [{ figure: "seconds", title: "seconds" }],
  },
  {
    name: "kill",
    title: "kill -9 after acknowledged writes",
    method:
      "32 callers set keys, the server is killed in the middle and started again, and every acknowledged set is read.",
    figures: [
      { figure: "acknowledged", title: "acknowledged" },
      { figure: "lost", title: "lost" },
    ],
  },
];
