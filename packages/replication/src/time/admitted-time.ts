/** The highest stamp time that a directory has admitted, as far as a node has seen. */
export class AdmittedTime {
  #time: number;

  constructor(time: number) {
    this.#time = time;
  }

  get time(): number {
    return this.#time;
  }

  /** A stamp of that time has been admitted. */
  raise(time: number): void {
    if (time > this.#time) this.#time = time;
  }
}
