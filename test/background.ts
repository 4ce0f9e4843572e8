/** Has the process that runs a file of tests make way for others: it computes, and nobody waits for what it answers. */
import { setPriority } from "node:os";

const NICE = 10;

setPriority(NICE);
