export { DIRECTORY_FLAGS } from "./directory-flags.ts";
export { startDirectory, type DirectoryOptions, type RunningDirectory } from "./start-directory.ts";
