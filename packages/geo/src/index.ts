export { NearestIndex, type Neighbour, type Placed } from "./nearest-index.ts";
