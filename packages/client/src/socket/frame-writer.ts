/** Writes the frames of a client (RFC 6455, section 5): each masked by four bytes of chance. */
const MASKS_BYTES = 4_096;

/** Chance is drawn for many masks at a time. */
const masks = new Uint8Array(MASKS_BYTES);
let nextMask = MASKS_BYTES;

/** How many bytes the frame of a message has. */
export function frameBytes(message: Uint8Array): number {
  return headBytes(message.length) + message.length;
}

/** Writes a whole message as one frame. Returns where it ends. */
export function writeFrame(
  into: Uint8Array,
  at: number,
  opcode: number,
  message: Uint8Array,
): number {
  const { length } = message;
  into[at] = 0x80 | opcode;
  const start = at + headBytes(length);
  if (length < 126) into[at + 1] = 0x80 | length;
  else {
    into[at + 1] = 0x80 | (length <= 0xff_ff ? 126 : 127);
    for (let rest = length, index = start - 5; index > at + 1; index -= 1) {
      into[index] = rest % 256;
      rest = Math.floor(rest / 256);
    }
  }
  if (nextMask === MASKS_BYTES) {
    crypto.getRandomValues(masks);
    nextMask = 0;
  }
  const mask = masks.subarray(nextMask, nextMask + 4);
  nextMask += 4;
  into.set(mask, start - 4);
  for (let index = 0; index < length; index += 1) {
    into[start + index] = (message[index] ?? 0) ^ (mask[index & 3] ?? 0);
  }
  return start + length;
}

function headBytes(length: number): number {
  return 6 + (length < 126 ? 0 : length <= 0xff_ff ? 2 : 8);
}
