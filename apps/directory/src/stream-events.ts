import type { HttpServer } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import type { Directory } from "@meridian/replication";
import type { Logger } from "@meridian/runtime";

import type { LogPlace } from "./open-log.ts";
import type { RunningDirectory } from "./start-directory.ts";

/** Who is told of the stream of a log. */
interface StreamListeners {
  readonly logger: Logger;
  readonly onFatal?: ((failure: MeridianError) => void) | undefined;
  readonly onStandby?: ((beside: RunningDirectory) => void) | undefined;
}

const STANDING_BY = new MeridianError(
  "DIRECTORY_UNREACHABLE",
  "Another directory writes the log, and this one stands by",
);

/** What a directory does when something happens to the stream of its log. `running` has the directory once it has been made. */
export function streamEvents(
  { logger, onFatal, onStandby }: StreamListeners,
  server: Pick<HttpServer, "starting" | "url">,
  running: {
    readonly directory: Pick<Directory, "release"> | undefined;
    readonly quit: () => Promise<void>;
  },
  reload: RunningDirectory["reload"],
): Required<Pick<LogPlace, "onLost" | "onStandby" | "onCutOff">> {
  return {
    onLost: (failure) => {
      logger.error("the stream of the log is lost", { error: failure.message });
      onFatal?.(failure);
    },
    onStandby: () => {
      server.starting = STANDING_BY;
      onStandby?.({ url: server.url, reload, stop: () => running.quit() });
    },
    onCutOff: (why) => {
      logger.warn("nodes are sent to other directories", { why: why.message });
      running.directory?.release(why);
    },
  };
}
