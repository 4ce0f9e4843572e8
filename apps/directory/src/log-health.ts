import type { MeridianError } from "@meridian/protocol";
import type { Logger } from "@meridian/runtime";

/** Remembers whether the log's database has turned out to be damaged. */
export class LogHealth {
  readonly #logger: Logger;
  readonly #source: string;
  #damage: MeridianError | undefined;

  /** `isOfStream`: whether the database is made from a stream. */
  constructor(logger: Logger, isOfStream: boolean) {
    this.#logger = logger;
    this.#source = isOfStream ? "it is made anew from the stream" : "the nodes fill it again";
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
      `the log is damaged; stop this directory and move its data folder away, ${this.#source}`,
      { code: damage.code, why: damage.message },
    );
  };
}
