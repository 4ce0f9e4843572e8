import type { Done } from "@meridian/ports";
import type { LogFrame } from "@meridian/protocol";
import { MemoryDirectoryLog } from "@meridian/testkit";

import { BOUNDS } from "./bounds.ts";

/** A log that is read in small portions, and whose process may die between a commit and its answer. */
export class TracedLog extends MemoryDirectoryLog {
  /** Called between a commit and its answer; returns whether the process is still there to hear it. */
  onStep: () => boolean = () => true;

  /** Called with each frame that is durable. */
  onCommit: (frame: LogFrame) => void = () => {};

  override append(frame: LogFrame, done: Done): void {
    this.appendWith(frame, done, () => {});
  }

  /** Appends a frame. What `onDurable` notes is a part of the commit. */
  protected appendWith(frame: LogFrame, done: Done, onDurable: () => void): void {
    super.append(frame, (failure) => {
      if (failure === undefined) {
        onDurable();
        this.onCommit(frame);
      }
      if (this.onStep()) done(failure);
    });
  }

  override read(after: number, bytesMax: number): readonly LogFrame[] {
    return super.read(after, Math.min(bytesMax, BOUNDS.readBytes));
  }
}
