/** The subprotocol of JSON in text messages. A client has to offer this one or the binary one. */
export const SOCKET_PROTOCOL = "meridian.v1+json";

/** The subprotocol of binary messages. */
export const BINARY_SOCKET_PROTOCOL = "meridian.v1+binary";

/** The path of the WebSocket. */
export const SOCKET_PATH = "/ws";

/** How many keys or entries a request may have. */
export const KEYS_MAX = 1_000;

/** How many keys a page may have. */
export const LIMIT_MAX = 1_000;

/** How long a request may wait for its session's position, in milliseconds. */
export const WAIT_MS_MAX = 10_000;
