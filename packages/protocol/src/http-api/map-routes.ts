/** The requests of a directory from which a map of the cluster is drawn. A region hands them on to its directory. */
import { directoryStatus, nearest } from "./directory-api.ts";
import { EVENTS, type ApiTable } from "./route.ts";

/** Where the nodes and the directory are, how they stand, and which node is near. */
export const MAP_API = {
  "/nearest": {
    GET: {
      access: { scope: "any" },
      summary: "The ready regions nearest to a place, by great-circle distance.",
      query: [
        { name: "lat", description: "Decimal degrees, north positive.", required: true },
        { name: "lon", description: "Decimal degrees, east positive.", required: true },
        { name: "limit", description: "How many, 1 to 100; 3 by default." },
        { name: "exclude", description: "Ids to leave out, with commas." },
      ],
      answer: nearest,
      errors: ["INVALID_COORDINATES", "NO_READY_NODE", "DIRECTORY_SYNCING"],
    },
  },
  "/nodes/watch": {
    GET: {
      access: { scope: "any" },
      summary:
        "Tells of the coming and going of nodes as server-sent events: first `nodes`, as `/nodes` answers; then a `node` for each that comes, goes, moves or changes its status, and `forgotten` with its id; and `directories`, with `peers`, where the link of a directory that is followed has come or gone. With `progress`, also `progress`, with what changes all the time of the nodes for which it has changed, and `frames`: how many frames of the log have come from and left to which nodes.",
      query: [{ name: "progress", description: "`true`: tell of progress and frames, too." }],
      answer: EVENTS,
      errors: ["OVERLOADED"],
    },
  },
  "/status": {
    GET: {
      access: { scope: "any" },
      summary: "The directory in numbers.",
      answer: directoryStatus,
      errors: [],
    },
  },
} as const satisfies ApiTable;
