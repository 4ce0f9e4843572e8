export { NearestIndex, type Neighbour } from "./nearest-index.ts";
