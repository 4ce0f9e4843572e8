/** Where a part of a machine tells what has happened. */
export interface Emitter<Handlers> {
  readonly emit: Handlers;
}

/**
 * Carries events from the parts of a machine to the machine. It is made before the parts and given to each of them. The machine connects its handlers
 * once it has made all parts, so no handler can name a part that does not exist yet.
 */
export class Events<Handlers> implements Emitter<Handlers> {
  #handlers: Handlers | undefined;

  get emit(): Handlers {
    if (this.#handlers === undefined) throw new Error("Expected handlers to be connected first");
    return this.#handlers;
  }

  connect(handlers: Handlers): void {
    this.#handlers = handlers;
  }
}
