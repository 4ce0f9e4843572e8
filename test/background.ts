/**
 * Lowers the priority of the process that runs a test file, and of the processes that the file starts: its tests mostly compute, while clusters
 * of other files have leases to keep. At this priority a process still gets a quarter of a processor that another one wants whole.
 */
import { getPriority, setPriority } from "node:os";

const NICE = 5;

if (getPriority() < NICE) setPriority(NICE);
