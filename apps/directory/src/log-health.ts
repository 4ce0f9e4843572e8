import type { MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

/** Remembers whether the log's database has turned out to be damaged. */
export class LogHealth {
  readonly #logger: Logger;
  #damage: MeridianError | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Why the log cannot be trusted any more; undefined while no damage is known. */
  get damage(): MeridianError | undefined {
    return this.#damage;
  }

  /** Call it each time that the database turns out to be damaged. It logs the first time. */
  readonly onDamaged = (damage: MeridianError): void => {
    if (this.#damage !== undefined) return;
    this.#damage = damage;
    this.#logger.error(
      "the log is damaged; stop this directory and delete its data folder, the nodes fill it again",
      { code: damage.code, why: damage.message },
    );
  };
}
