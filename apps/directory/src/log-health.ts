import type { MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

/** Whether the log's database is whole, as far as anyone has seen. */
export class LogHealth {
  readonly #logger: Logger;
  #damage: MeridianError | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Why the log is not to be trusted any more; undefined while all is well. */
  get damage(): MeridianError | undefined {
    return this.#damage;
  }

  /** To be told each time that the database turns out to be damaged. Says so once. */
  readonly onDamaged = (damage: MeridianError): void => {
    if (this.#damage !== undefined) return;
    this.#damage = damage;
    this.#logger.error(
      "the log is damaged; stop this directory and delete its data folder, the nodes fill it again",
      { code: damage.code, why: damage.message },
    );
  };
}
