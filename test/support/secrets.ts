/** The secrets of a cluster as `meridian init` makes them, and their renewal while the cluster runs. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import type { SecureParts } from "@meridian/local-cluster";
import { Agent, fetch as secureFetch, type RequestInit as SecureInit } from "undici";

const MACHINE = "127.0.0.1";

/** The secrets in a folder. */
export class Secrets implements SecureParts {
  readonly ca: string;
  readonly args: readonly string[];
  /** The token of whoever asks in this process. */
  token = "";
  readonly #folder: string;
  readonly #nodeToken: string;
  readonly #agent: Agent;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#nodeToken = join(folder, "node.token");
    const ca = join(folder, "ca.pem");
    this.ca = readFileSync(ca, "utf8");
    this.#agent = new Agent({ connect: { ca: this.ca } });
    const machine = join(folder, MACHINE);
    this.args = [
      `--tls-cert=${join(machine, "cert.pem")}`,
      `--tls-key=${join(machine, "key.pem")}`,
      `--tls-ca=${ca}`,
      `--tls-client-ca=${ca}`,
      `--token-keys=${join(folder, "token-keys.json")}`,
      `--token-file=${this.#nodeToken}`,
    ];
  }

  /** Makes them in a folder that does not exist yet. */
  static async make(folder: string): Promise<Secrets> {
    await meridian("init", folder, "--host", MACHINE);
    const secrets = new Secrets(folder);
    await secrets.#makeTokens();
    return secrets;
  }

  /** Makes a new signing key, which is trusted beside the old one, and tokens of it. The programs read the key when they are told to. */
  async rotate(reload: () => Promise<void>): Promise<void> {
    await meridian("token", "rotate", "--folder", this.#folder);
    await reload();
    await this.#makeTokens();
    await reload();
    this.#forgetOldKeys();
    await reload();
  }

  /** Makes the programs a new certificate. */
  async renew(): Promise<void> {
    await meridian("certificate", MACHINE, "--renew", "--folder", this.#folder);
  }

  /** A `fetch` that trusts the cluster and shows the token, unless the request has one. */
  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${this.token}`);
    const options = { ...init, headers: Object.fromEntries(headers), dispatcher: this.#agent };
    return (await secureFetch(url, options as SecureInit)) as unknown as Response;
  };

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #makeTokens(): Promise<void> {
    const create = ["token", "create", "--folder", this.#folder, "--expires", "2h", "--scope"];
    const node = await meridian(...create, "node", "--node", "*");
    writeFileSync(`${this.#nodeToken}.new`, node, { mode: 0o600 });
    renameSync(`${this.#nodeToken}.new`, this.#nodeToken);
    this.token = (await meridian(...create, "write")).trim();
  }

  /** Trusts none but the newest key. */
  #forgetOldKeys(): void {
    const path = join(this.#folder, "token-keys.json");
    const { keys } = JSON.parse(readFileSync(path, "utf8")) as { readonly keys: unknown[] };
    writeFileSync(`${path}.new`, JSON.stringify({ keys: keys.slice(0, 1) }));
    renameSync(`${path}.new`, path);
  }
}

/** Runs the command in this process. Resolves to what it has printed. */
async function meridian(...argv: readonly string[]): Promise<string> {
  let said = "";
  const write = (data: string | Uint8Array): void => void (said += Buffer.from(data).toString());
  const stream = { write };
  const io = { stdout: stream, stderr: stream, stdin: undefined, env: {}, colour: false };
  const code = await runCli(argv, io);
  if (code === 0) return said;
  throw new Error(`Expected \`meridian ${argv.join(" ")}\` to succeed, got ${code}: ${said}`);
}
