/** A cluster in memory, for the tests of programs that use a cache. */
export { TestClock } from "./test-clock.ts";
export { TestCluster, type TestClusterOptions, type TestConnectOptions } from "./test-cluster.ts";
export type { TestNode, TestNodeMood } from "./test-node.ts";
