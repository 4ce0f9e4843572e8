/** The land of the world: Natural Earth's shapes at 1:110 million, which are in the public domain. */
import { feature } from "topojson-client";
import atlas from "world-atlas/land-110m.json";

type Topology = Parameters<typeof feature>[0];

const topology = atlas as unknown as Topology;

/** All land. */
export const LAND = feature(topology, "land");
