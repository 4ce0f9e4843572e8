/** The version of the wire protocol that this code speaks. A peer of another version is refused. */
export const PROTOCOL_VERSION = 1;

/** How many cursors a party keeps and sends; the newest are kept. */
export const CURSORS_MAX = 32;

/** The longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX = 1024;

/** The longest content type, in bytes. */
export const CONTENT_TYPE_BYTES_MAX = 255;

/** The largest value a node takes unless it is configured otherwise, in bytes. */
export const VALUE_BYTES_MAX_DEFAULT: number = 1024 * 1024;

/** The largest value that any configuration may allow, in bytes. */
export const VALUE_BYTES_MAX: number = 64 * 1024 * 1024;

/** The largest WebSocket message that a party takes, in bytes: one value of the largest size and its frame. */
export const MESSAGE_BYTES_MAX: number = VALUE_BYTES_MAX + 1024 * 1024;

/** Where a sender starts a new frame, in bytes. One entry alone may be larger. */
export const FRAME_BYTES_TARGET: number = 256 * 1024;
