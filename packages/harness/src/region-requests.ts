/** HTTP requests to regions and directories, for tests. */
import { checkAnswer, DIRECTORY_API, REGION_API, routesOf } from "@meridian/protocol/http-api";
import { Agent, fetch as secureFetch, type RequestInit as SecureInit } from "undici";

const PATIENCE_MS = 15_000;

/** The value of a key as a region answers it. */
export interface Stored {
  readonly value: Uint8Array;
  readonly contentType: string;
  readonly etag: string;
}

/** A region's answer to a write. */
export interface WriteAnswer {
  readonly etag: string;
  /** The token of everything that the writer has seen. */
  readonly position: string;
}

/** How a value is put. */
export interface PutOptions {
  readonly contentType?: string;
  readonly ttl?: string;
  readonly ack?: string;
  /** How long to wait for `ack`. */
  readonly timeout?: string;
}

/** The authorities of clusters that speak TLS. */
const trusted: string[] = [];
let agent: Agent | undefined;

/** Makes all requests of this process trust an authority from now on. */
export function trustAuthority(ca: string): void {
  trusted.push(ca);
  agent = new Agent({ connect: { ca: trusted } });
}

let shown: string | undefined;

/** Adds a token to every request from now on that has none itself. */
export function showToken(token: string): void {
  shown = token;
}

/** A `fetch` that trusts the authorities of `trustAuthority` and sends the token of `showToken`. */
export function clusterFetch(url: string, given: RequestInit = {}): Promise<Response> {
  const init = { ...given };
  if (shown !== undefined) {
    const headers = new Headers(init.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${shown}`);
    init.headers = Object.fromEntries(headers);
  }
  if (agent === undefined || !url.startsWith("https:")) return fetch(url, init);
  const options = { ...init, dispatcher: agent } as SecureInit;
  return secureFetch(url, options) as unknown as Promise<Response>;
}

/** Sends a request; rejects if there is no answer. */
export function request(url: string, init: RequestInit = {}): Promise<Response> {
  return clusterFetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
}

/** Sends a GET and returns the JSON of its answer. Rejects unless the answer succeeds and matches the API's schema for the path. */
export async function getJson<T>(url: string): Promise<T> {
  const response = await request(url);
  const answer: unknown = await (await successful(response, `GET ${url}`)).json();
  checkByApi(url, answer);
  return answer as T;
}

/** The schemas of the answers to GET, by path, of both programs. */
const ANSWERS = [DIRECTORY_API, REGION_API]
  .flatMap((table) => routesOf(table))
  .filter(({ method }) => method === "GET")
  .map(({ path, answer }) => ({
    pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, ".+")}$`),
    answer,
  }));

function checkByApi(url: string, answer: unknown): void {
  const { pathname } = new URL(url);
  const said: string[] = [];
  for (const route of ANSWERS.filter(({ pattern }) => pattern.test(pathname))) {
    if (typeof route.answer === "string") return;
    try {
      checkAnswer(route.answer, answer, url);
      return;
    } catch (failure) {
      said.push(String(failure));
    }
  }
  throw new Error(said.length === 0 ? `Expected a path of the API, got ${url}` : said.join("; "));
}

/** Writes a value. Rejects unless the write is acknowledged as asked. */
export async function putValue(
  region: string,
  key: string,
  value: string | Uint8Array<ArrayBuffer>,
  { contentType = "text/plain", ...query }: PutOptions = {},
): Promise<WriteAnswer> {
  const options = new URLSearchParams({ ...query });
  const response = await request(`${addressOf(region, key)}?${options.toString()}`, {
    method: "PUT",
    headers: { "content-type": contentType },
    body: value,
  });
  return writtenOf(await successful(response, `PUT ${key}`));
}

/** Deletes a key. Rejects unless the delete is acknowledged. */
export async function deleteValue(region: string, key: string): Promise<WriteAnswer> {
  const response = await request(addressOf(region, key), { method: "DELETE" });
  return writtenOf(await successful(response, `DELETE ${key}`));
}

/** Reads the value of a key at a region; undefined if there is none. `position` is the token of what the reader has seen. */
export async function getValue(
  region: string,
  key: string,
  position?: string,
): Promise<Stored | undefined> {
  const headers = position === undefined ? {} : { "meridian-position": position };
  const response = await request(addressOf(region, key), { headers });
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  await successful(response, `GET ${key}`);
  return {
    value: new Uint8Array(await response.arrayBuffer()),
    contentType: response.headers.get("content-type") ?? "",
    etag: response.headers.get("etag") ?? "",
  };
}

/** Reads the value of a key at a region as text; undefined if there is none. */
export async function getText(
  region: string,
  key: string,
  position?: string,
): Promise<string | undefined> {
  const stored = await getValue(region, key, position);
  return stored === undefined ? undefined : Buffer.from(stored.value).toString();
}

function addressOf(region: string, key: string): string {
  return `${region}/cache/${key.split("/").map(encodeURIComponent).join("/")}`;
}

async function writtenOf(response: Response): Promise<WriteAnswer> {
  const written = {
    etag: response.headers.get("etag") ?? "",
    position: response.headers.get("meridian-position") ?? "",
  };
  await response.body?.cancel();
  return written;
}

async function successful(response: Response, what: string): Promise<Response> {
  if (response.ok) return response;
  throw new Error(`Expected ${what} to succeed, got ${response.status} ${await response.text()}`);
}
