/** Lowers the priority of the process that runs a test file: the tests only compute, and no other process waits for their answers. */
import { setPriority } from "node:os";

const NICE = 10;

setPriority(NICE);
