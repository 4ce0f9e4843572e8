/** How many cursors a party keeps and sends at most. Beyond that the oldest are dropped. */
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

/** The longest block of attributes of an entry, and the longest extension of a frame, in bytes: the most that their u16 length fields can hold. */
export const ATTRIBUTES_BYTES_MAX = 65_535;
export const EXTENSION_BYTES_MAX = 65_535;

/** The latest instant at which an entry may expire, in milliseconds since the Unix epoch: the latest that a `Date` can hold. */
export const EXPIRES_AT_MS_MAX = 8.64e15;

/** The largest text message that a party takes, in bytes: room for an `offer` or a `wanted` of about 4 000 keys of the longest kind. */
export const TEXT_BYTES_MAX: number = 4 * 1024 * 1024;

/** The largest text message before a greeting has been taken, in bytes. */
export const GREETING_BYTES_MAX: number = 8 * 1024;

/** Where a sender starts a new frame, in bytes and in entries. One entry or batch alone may be larger. */
export const FRAME_BYTES_TARGET: number = 256 * 1024;
export const FRAME_ENTRIES_TARGET = 1_024;

/** The most entries of a frame. */
export const FRAME_ENTRIES_MAX = 16_384;

/** The most entries of a batch that is one commit: others may be in its frame. */
export const BATCH_ENTRIES_MAX: number = FRAME_ENTRIES_MAX - FRAME_ENTRIES_TARGET;

/** How many ranges a `compare` may ask about. */
export const RANGES_MAX = 4_096;

/** How many entries one range of a `compare`, and all unanswered `compare`s of a link together, may count. */
export const COMPARED_ENTRIES_MAX = 65_536;

/** How many entries an `offer` may list. */
export const OFFERED_ENTRIES_MAX = 65_536;

/** How many members, ids or keys one message may list. */
export const LISTED_MAX = 65_536;

/** The largest `heat` or `heat-elsewhere`, in bytes. A party sends about one a second. */
export const HEAT_BYTES_MAX: number = 8 * 1024;

/** The most reads that a key in such a message can have; more count as so many. */
export const HEAT_READS_MAX: number = 2 ** 32 - 1;

/** The largest value that a `propose` may carry, in bytes: it is base64 in a text message. */
export const PROPOSED_BYTES_MAX: number = 1024 * 1024;

/** How many `propose` and `barrier` of one link may wait for their `decided`. */
export const PROPOSALS_MAX = 256;

/** How many epochs of its log a directory remembers and names in `welcome`. */
export const EPOCHS_MAX = 1_000;

/** How many features a party may announce. */
export const FEATURES_MAX = 64;

/** The highest `generation` of a remembered member; forgetting the member and remembering it again adds one each. */
export const GENERATION_MAX = 2 ** 32;
