export { startDirectory, type DirectoryOptions, type RunningDirectory } from "./start-directory.ts";
