import { MeridianError } from "@meridian/protocol";

import type { ConnectOptions } from "./connect.ts";
import type { Transport } from "./socket-links.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads options of `connect` from the environment: `MERIDIAN_DIRECTORY`, `MERIDIAN_NODES` and `MERIDIAN_SEEDS` are URLs with commas
 * between them, `MERIDIAN_LAT` and `MERIDIAN_LON` say where the program runs, `MERIDIAN_TOKEN` is the token to send, `MERIDIAN_TRANSPORT` is `auto`,
 * `http` or `websocket`. An empty variable counts as not set. Throws `INVALID_ARGUMENT` if latitude or longitude is not a number, or the
 * transport another word.
 */
export function fromEnv(env: Environment = ownEnvironment()): ConnectOptions {
  const [lat, lon] = [numberOf(env, "MERIDIAN_LAT"), numberOf(env, "MERIDIAN_LON")];
  const token = textOf(env, "MERIDIAN_TOKEN");
  const transport = transportOf(env, "MERIDIAN_TRANSPORT");
  return {
    ...listOf(env, "directory", "MERIDIAN_DIRECTORY"),
    ...listOf(env, "nodes", "MERIDIAN_NODES"),
    ...listOf(env, "seeds", "MERIDIAN_SEEDS"),
    ...(lat !== undefined && lon !== undefined && { location: { lat, lon } }),
    ...(token !== undefined && { token }),
    ...(transport !== undefined && { transport }),
  };
}

function ownEnvironment(): Environment {
  const { process } = globalThis as { readonly process?: { readonly env?: Environment } };
  return process?.env ?? {};
}

function textOf(env: Environment, name: string): string | undefined {
  const text = env[name]?.trim();
  return text === "" ? undefined : text;
}

function transportOf(env: Environment, name: string): Transport | undefined {
  const text = textOf(env, name);
  if (text === undefined || text === "auto" || text === "http" || text === "websocket") return text;
  const said = `Expected \`${name}\` to be \`auto\`, \`http\` or \`websocket\`, got \`${text}\``;
  throw new MeridianError("INVALID_ARGUMENT", said);
}

function listOf(
  env: Environment,
  option: "directory" | "nodes" | "seeds",
  name: string,
): { readonly [Option in typeof option]?: readonly string[] } {
  const list = (textOf(env, name) ?? "").split(",").flatMap((url) => url.trim() || []);
  return list.length === 0 ? {} : { [option]: list };
}

function numberOf(env: Environment, name: string): number | undefined {
  const text = textOf(env, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isFinite(value)) return value;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be a number, got \`${text}\``,
  );
}
