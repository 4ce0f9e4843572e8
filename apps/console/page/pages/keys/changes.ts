/** The changes of a key. Each resolves to what was done, in words. */
import { pathAt } from "../../parties/views.ts";
import { api } from "../../shell/session.ts";

/** A key at a region. */
export interface KeyAt {
  readonly key: string;
  /** The id of the region; undefined for the one that served the page. */
  readonly id: string | undefined;
}

/** What a form says of a value. */
export interface NewValue {
  readonly value: string;
  readonly type: string;
  /** As the API takes it; empty for ever. */
  readonly ttl: string;
}

/** Sets a value. */
export async function setKey({ key, id }: KeyAt, { value, type, ttl }: NewValue): Promise<string> {
  // A request without a body has its value in the query.
  const isEmpty = value === "";
  await api.send("POST", pathAt(id, "/cache"), {
    query: { key, ttl: ttl === "" ? undefined : ttl, value: isEmpty ? "" : undefined },
    headers: { "content-type": type },
    ...(!isEmpty && { body: value }),
  });
  return "It is set.";
}

/** Changes when a value expires. */
export async function touchKey({ key, id }: KeyAt, { ttl }: NewValue): Promise<string> {
  const query = ttl === "" ? { key, expiresAt: "never" } : { key, ttl };
  await api.send("POST", pathAt(id, "/touch"), { query });
  return ttl === "" ? "It never expires now." : "It expires later, or sooner, now.";
}

/** Deletes a key. */
export async function removeKey({ key, id }: KeyAt): Promise<string> {
  await api.send("DELETE", pathAt(id, `/cache/${encodeURIComponent(key)}`));
  return "It is deleted everywhere.";
}
