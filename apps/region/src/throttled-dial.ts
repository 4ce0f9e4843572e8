import type { Dial, LinkEvents } from "@meridian/ports";
import type { Clock } from "@meridian/runtime";
import type { WebSocketLink } from "@meridian/transport";

/** How often the backlog is checked while the link is paused, in milliseconds. */
const LOOK_MS = 20;

/** How a dial is throttled. */
export interface ThrottleOptions {
  readonly dial: (events: LinkEvents, directory: number) => WebSocketLink;
  readonly clock: Clock;
  /** The bytes that wait in memory to be stored. */
  readonly backlogBytes: () => number;
  /** Reading stops above this many bytes, and goes on at half of it. */
  readonly backlogBytesMax: number;
}

/**
 * Reads from the directory no faster than the disk takes in: what is not read waits in the directory's log. If the disk hangs, the link
 * falls silent and ends, and the node becomes `standalone` as if it was cut off.
 */
export function throttledDial(options: ThrottleOptions): Dial {
  const { dial, clock, backlogBytes, backlogBytesMax } = options;
  return (events: LinkEvents, directory: number) => {
    let isPaused = false;
    let isClosed = false;
    const look = (): void => {
      if (isClosed) return;
      if (backlogBytes() > backlogBytesMax / 2) {
        clock.after(LOOK_MS, look);
        return;
      }
      isPaused = false;
      link.resume();
    };
    const check = (): void => {
      if (isPaused || backlogBytes() <= backlogBytesMax) return;
      isPaused = true;
      link.pause();
      clock.after(LOOK_MS, look);
    };
    const watched: LinkEvents = {
      onOpen: () => events.onOpen(),
      onPart: () => events.onPart(),
      onDrain: () => events.onDrain(),
      onMessage: (message) => {
        events.onMessage(message);
        check();
      },
      onClose: (code, reason) => {
        isClosed = true;
        events.onClose(code, reason);
      },
    };
    const link = dial(watched, directory);
    return link;
  };
}
