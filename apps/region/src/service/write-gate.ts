import { MeridianError } from "@meridian/protocol";
import type { Admission } from "@meridian/replication";

/** The facts by which a `WriteGate` decides. */
export interface WriteGateOptions {
  readonly nodeId: string;
  /** Whether writes are taken before any directory has ever admitted the node. */
  readonly standalone: boolean;
  admission(): Admission;
  /** Why a directory has refused the node. */
  refusal(): MeridianError | undefined;
  /** Why the disk takes no new values now. */
  shortage(): MeridianError | undefined;
  /** What answers at the URLs of the directories; null before the first look. */
  found(): string | null;
}

/** Refuses writes of a node that no directory has admitted, and new values while the disk has no room. */
export class WriteGate {
  readonly #options: WriteGateOptions;

  constructor(options: WriteGateOptions) {
    this.#options = options;
  }

  /** Throws if the disk takes no new values now. It may still take deletes. */
  checkRoom(): void {
    const shortage = this.#options.shortage();
    if (shortage !== undefined) throw shortage;
  }

  /** Throws `NODE_REFUSED` or `NODE_NOT_ADMITTED` if no other node would ever get the write. */
  check(): void {
    const { nodeId, standalone } = this.#options;
    const admission = this.#options.admission();
    if (admission === "refused") {
      const refusal = this.#options.refusal();
      throw new MeridianError(
        "NODE_REFUSED",
        `The directory refuses node \`${nodeId}\`, so it takes no writes: ${refusal?.message ?? ""}`,
        { details: { refusal: refusal?.code } },
      );
    }
    if (admission === "admitted" || standalone) return;
    const found = this.#options.found() ?? "none of its directories has answered yet";
    throw new MeridianError(
      "NODE_NOT_ADMITTED",
      `No directory has ever admitted node \`${nodeId}\`, so it takes no writes: ${found}`,
      { details: { found } },
    );
  }
}
