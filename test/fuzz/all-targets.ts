/** All targets, by their names. */
import { directoryTarget, linkTarget } from "./directory-targets.ts";
import { plainTarget } from "./plain-target.ts";
import { bodyTarget, headersTarget, httpTarget } from "./region-targets.ts";
import { importTarget, READERS, tokenTarget, type Target } from "./targets.ts";
import { binaryWebSocketTarget, webSocketTarget } from "./web-socket-targets.ts";

/** A name, how a target of that name is made, and whether its inputs go over sockets, where they wait for each other. */
export interface TargetMaker {
  readonly name: string;
  readonly overSockets: boolean;
  readonly make: () => Promise<Target>;
}

const here = (name: string, make: () => Promise<Target>): TargetMaker => ({
  name,
  overSockets: false,
  make,
});
const overSockets = (name: string, make: () => Promise<Target>): TargetMaker => ({
  name,
  overSockets: true,
  make,
});

export const TARGETS: readonly TargetMaker[] = [
  ...READERS.map((target) => here(target.name, async () => target)),
  here("import-file", importTarget),
  here("token", tokenTarget),
  here("plain-read", plainTarget),
  overSockets("json-body", bodyTarget),
  overSockets("headers", headersTarget),
  overSockets("web-socket", webSocketTarget),
  overSockets("binary-web-socket", binaryWebSocketTarget),
  overSockets("http-request", httpTarget),
  overSockets("directory-request", directoryTarget),
  overSockets("link", linkTarget),
];
