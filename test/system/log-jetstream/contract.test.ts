/** The log over a stream keeps the contract of every directory's log. */
import { openStreamLog, type StreamLog } from "@meridian/log-jetstream";
import { directoryLogContract } from "@meridian/testkit";
import { afterAll, beforeAll, describe } from "vitest";

import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";
import { idle, logOptions, LogFolder } from "../../support/stream-logs.ts";

describe.skipIf(!HAS_NATS)(`nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  const servers = new NatsServers();
  const folder = new LogFolder();
  beforeAll(() => servers.start());
  afterAll(async () => {
    await servers.stop();
    folder.remove();
  });

  directoryLogContract<StreamLog>(
    "StreamLog",
    {
      open: (name) => openStreamLog(logOptions(servers, name, folder.file(name))),
      close: (log) => log.close(),
      crash: (log) => log.abort(),
      idle,
    },
    5,
  );
});
