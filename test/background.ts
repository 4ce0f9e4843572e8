/**
 * Lowers the priority of the process that runs a test file, and of the processes that the file starts: its tests mostly compute, and
 * clusters that other files have started wait for leases meanwhile.
 */
import { getPriority, setPriority } from "node:os";

const NICE = 10;

if (getPriority() < NICE) setPriority(NICE);
