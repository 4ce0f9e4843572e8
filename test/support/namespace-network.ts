/**
 * A network of Linux network namespaces: each program has a network stack of its own, and every two that talk have a
 * cable between them, which loses packets as a real one does. Needs root and iproute2.
 *
 *   region i  ──── 198.18.i.4/30 ────  directory      what is cut
 *   region i  ──── 198.18.i.0/30 ────  this process   how clients reach the region; never cut
 *   directory ──── 198.18.0.0/30 ────  this process
 *
 * A flow is stopped by giving its sender a wrong hardware address of the receiver: the packets leave, and
 * nobody takes them. Nothing on either side is told.
 */
import { execFileSync } from "node:child_process";

import type { Flow } from "@meridian/cli";

import type { Line, Network, Site } from "./line.ts";

const DIRECTORY_PORT = 7400;
const NOBODY = "02:00:00:00:00:ff";

/** Runs `ip`; the cluster's own names are short, because those of interfaces may have 15 characters. */
function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function tryIp(...args: readonly string[]): void {
  try {
    ip(...args);
  } catch {
    // Gone already, or never made.
  }
}

/** One end of a cable. */
interface End {
  /** Undefined for the namespace of this process. */
  readonly namespace: string | undefined;
  readonly name: string;
  readonly address: string;
}

function inNamespace({ namespace }: End): readonly string[] {
  return namespace === undefined ? [] : ["-n", namespace];
}

function connectEnds(a: End, b: End): void {
  ip("link", "add", a.name, "type", "veth", "peer", "name", b.name);
  for (const end of [a, b]) {
    if (end.namespace !== undefined) ip("link", "set", end.name, "netns", end.namespace);
    const where = inNamespace(end);
    ip(...where, "address", "add", `${end.address}/30`, "dev", end.name);
    ip(...where, "link", "set", end.name, "up");
  }
}

function hardwareAddress(end: End): string {
  const [link] = JSON.parse(ip(...inNamespace(end), "-j", "link", "show", end.name)) as {
    readonly address: string;
  }[];
  return link?.address ?? "";
}

/** The cable between a region and the directory. */
class Cable implements Line {
  readonly url: string;
  readonly #region: End;
  readonly #directory: End;
  readonly #regionAddress: string;
  readonly #directoryAddress: string;

  constructor(region: End, directory: End) {
    this.#region = region;
    this.#directory = directory;
    connectEnds(region, directory);
    this.#regionAddress = hardwareAddress(region);
    this.#directoryAddress = hardwareAddress(directory);
    this.url = `http://${directory.address}:${DIRECTORY_PORT}`;
    this.heal();
  }

  set target(_: string | undefined) {
    // The address is always the same; nobody answers there while the directory is gone.
  }

  cut(): void {
    this.blackHole();
  }

  blackHole(flow: Flow = "both"): void {
    if (flow !== "from-directory") address(this.#region, this.#directory, NOBODY);
    if (flow !== "to-directory") address(this.#directory, this.#region, NOBODY);
  }

  heal(): void {
    address(this.#region, this.#directory, this.#directoryAddress);
    address(this.#directory, this.#region, this.#regionAddress);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Tells `from` where the packets to `to` go. */
function address(from: End, to: End, hardware: string): void {
  const route = ["dev", from.name, "nud", "permanent"];
  ip(...inNamespace(from), "neigh", "replace", to.address, "lladdr", hardware, ...route);
}

/** A network of namespaces. */
export class NamespaceNetwork implements Network {
  readonly directory: Site;
  readonly #tag: string;
  readonly #namespaces: string[] = [];
  /** This process's ends of cables. */
  readonly #links: string[] = [];

  /** Throws where this machine does not let this process make namespaces. */
  constructor() {
    this.#tag = `m${process.pid.toString(36)}`;
    process.once("exit", this.#remove);
    try {
      this.directory = this.#site("d", 0, `0.0.0.0`, DIRECTORY_PORT);
    } catch (cause) {
      this.#remove();
      throw cause;
    }
  }

  /** Whether this machine lets this process make such a network. */
  static get isPossible(): boolean {
    try {
      new NamespaceNetwork().#remove();
      return true;
    } catch {
      return false;
    }
  }

  add(): Promise<{ readonly site: Site; readonly line: Line }> {
    const index = this.#namespaces.length;
    const site = this.#site(`r${index}`, index, `198.18.${index}.2`, 0);
    const region = this.#end(`r${index}`, `l${index}`, `198.18.${index}.5`);
    const directory = this.#end("d", `k${index}`, `198.18.${index}.6`);
    return Promise.resolve({ site, line: new Cable(region, directory) });
  }

  close(): Promise<void> {
    this.#remove();
    return Promise.resolve();
  }

  /** Makes a namespace and connects it with this process. */
  #site(suffix: string, index: number, host: string, port: number): Site {
    const namespace = `${this.#tag}${suffix}`;
    ip("netns", "add", namespace);
    this.#namespaces.push(namespace);
    ip("-n", namespace, "link", "set", "lo", "up");
    const name = `${this.#tag}h${index}`;
    this.#links.push(name);
    const here = { namespace: undefined, name, address: `198.18.${index}.1` };
    connectEnds(here, this.#end(suffix, `c${index}`, `198.18.${index}.2`));
    const reach = (url: string): string =>
      `http://198.18.${index}.2:${new URL(url).port || String(port)}`;
    return { launcher: ["ip", "netns", "exec", namespace], host, port, reach };
  }

  #end(suffix: string, name: string, endAddress: string): End {
    return { namespace: this.#tag + suffix, name: this.#tag + name, address: endAddress };
  }

  readonly #remove = (): void => {
    process.off("exit", this.#remove);
    // A namespace takes its ends of the cables along, but later than one would like.
    for (const name of this.#links.splice(0)) tryIp("link", "delete", name);
    for (const namespace of this.#namespaces.splice(0)) tryIp("netns", "delete", namespace);
  };
}
