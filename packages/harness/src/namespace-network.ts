/**
 * A network of Linux network namespaces: each program has a network stack of its own, and a virtual cable (veth) connects each two programs
 * that have a link. A cut cable loses packets without a notice to either side, as a real one does. Needs root and iproute2.
 *
 *   region, directory ──── 198.19.c.0/30 ──── directory      cable c: what is cut
 *   region, directory ──── 198.18.n.0/30 ──── this process   namespace n: how clients reach it; never cut
 *
 * To cut a cable in one direction, the sender gets a wrong hardware address of the receiver: the packets leave, and
 * no interface accepts them.
 */
import { execFileSync } from "node:child_process";

import type { Flow, Line, Network, Outpost, Site } from "@meridian/local-cluster";

const DIRECTORY_PORT = 7400;
const NOBODY = "02:00:00:00:00:ff";

/** Runs `ip`. Names are short because the name of an interface has at most 15 characters. */
function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

function tryIp(...args: readonly string[]): void {
  try {
    ip(...args);
  } catch {
    // It is gone already, or was never made.
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

/** The cable from a region or a directory to a directory. */
class Cable implements Line {
  readonly url: string;
  readonly #near: End;
  readonly #directory: End;
  readonly #nearAddress: string;
  readonly #directoryAddress: string;

  constructor(near: End, directory: End) {
    this.#near = near;
    this.#directory = directory;
    connectEnds(near, directory);
    this.#nearAddress = hardwareAddress(near);
    this.#directoryAddress = hardwareAddress(directory);
    this.url = `http://${directory.address}:${DIRECTORY_PORT}`;
    this.heal();
  }

  set target(_: string | undefined) {
    // The directory's address never changes; while the directory is down, connections to it fail.
  }

  cut(): void {
    this.blackHole();
  }

  blackHole(flow: Flow = "both"): void {
    if (flow !== "from-directory") address(this.#near, this.#directory, NOBODY);
    if (flow !== "to-directory") address(this.#directory, this.#near, NOBODY);
  }

  heal(): void {
    address(this.#near, this.#directory, this.#directoryAddress);
    address(this.#directory, this.#near, this.#nearAddress);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** Sets the hardware address to which `from` sends packets for `to`. */
function address(from: End, to: End, hardware: string): void {
  const route = ["dev", from.name, "nud", "permanent"];
  ip(...inNamespace(from), "neigh", "replace", to.address, "lladdr", hardware, ...route);
}

/** Connects the programs of a cluster by network namespaces. */
export class NamespaceNetwork implements Network {
  readonly #tag = `m${process.pid.toString(36)}`;
  readonly #namespaces: string[] = [];
  /** This process's ends of cables. */
  readonly #links: string[] = [];
  /** The namespaces of the directories. */
  #directories: readonly string[] = [];
  #cables = 0;

  constructor() {
    process.once("exit", this.#remove);
  }

  /** Whether this machine lets this process make such a network. */
  static get isPossible(): boolean {
    const network = new NamespaceNetwork();
    try {
      network.#site("t", {});
      return true;
    } catch {
      return false;
    } finally {
      network.#remove();
    }
  }

  open(directories: number): Promise<readonly Outpost[]> {
    this.#directories = Array.from({ length: directories }, (_, index) => `d${index}`);
    const listen = { host: "0.0.0.0", port: DIRECTORY_PORT };
    const sites = this.#directories.map((name) => this.#site(name, listen));
    return Promise.resolve(sites.map((site, index) => ({ site, lines: this.#lines(`d${index}`) })));
  }

  add(): Promise<Outpost> {
    const name = `r${this.#namespaces.length}`;
    const site = this.#site(name, {});
    return Promise.resolve({ site, lines: this.#lines(name) });
  }

  close(): Promise<void> {
    this.#remove();
    return Promise.resolve();
  }

  /** Makes a namespace and connects it with this process. */
  #site(name: string, listen: { readonly host?: string; readonly port?: number }): Site {
    const index = this.#namespaces.length;
    const address = `198.18.${index}.2`;
    const { host = address, port = 0 } = listen;
    const namespace = this.#tag + name;
    ip("netns", "add", namespace);
    this.#namespaces.push(namespace);
    ip("-n", namespace, "link", "set", "lo", "up");
    const link = `${this.#tag}h${index}`;
    this.#links.push(link);
    const here = { namespace: undefined, name: link, address: `198.18.${index}.1` };
    connectEnds(here, this.#end(name, `c${index}`, address));
    const reach = (url: string): string => `http://${address}:${new URL(url).port || String(port)}`;
    return { launcher: ["ip", "netns", "exec", namespace], host, port, reach };
  }

  /** Lays a cable from a namespace to that of each directory. */
  #lines(from: string): ReadonlyMap<number, Line> {
    const lines = new Map<number, Line>();
    for (const [index, directory] of this.#directories.entries()) {
      if (directory === from) continue;
      const cable = this.#cables;
      this.#cables += 1;
      const near = this.#end(from, `x${cable}`, `198.19.${cable}.1`);
      lines.set(index, new Cable(near, this.#end(directory, `y${cable}`, `198.19.${cable}.2`)));
    }
    return lines;
  }

  #end(namespace: string, name: string, address: string): End {
    return { namespace: this.#tag + namespace, name: this.#tag + name, address };
  }

  readonly #remove = (): void => {
    process.off("exit", this.#remove);
    // Deleting a namespace deletes its ends of the cables too, but not at once.
    for (const name of this.#links.splice(0)) tryIp("link", "delete", name);
    for (const namespace of this.#namespaces.splice(0)) tryIp("netns", "delete", namespace);
  };
}
