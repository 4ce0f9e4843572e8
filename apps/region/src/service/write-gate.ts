import { MeridianError } from "@meridian/protocol";
import type { Admission } from "@meridian/replication";

/** What a gate goes by. */
export interface WriteGateOptions {
  readonly nodeId: string;
  /** Whether writes are taken before any directory has ever admitted the node. */
  readonly standalone: boolean;
  admission(): Admission;
  /** Why a directory has refused the node. */
  refusal(): MeridianError | undefined;
  /** Why the disk takes no new values now. */
  shortage(): MeridianError | undefined;
  /** What was found where directories ought to be; null while nobody has looked. */
  found(): string | null;
}

/** Keeps writes out where nobody else would ever get them, and new values where there is no room for them. */
export class WriteGate {
  readonly #options: WriteGateOptions;

  constructor(options: WriteGateOptions) {
    this.#options = options;
  }

  /** Throws why the disk takes no new values, if that is so. Deletes it may take. */
  checkRoom(): void {
    const shortage = this.#options.shortage();
    if (shortage !== undefined) throw shortage;
  }

  /** Throws `NODE_REFUSED` or `NODE_NOT_ADMITTED` where what is written would be on an island. */
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
