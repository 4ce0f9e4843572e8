/** Where a part of a machine tells what has happened. */
export interface Emitter<Handlers> {
  readonly emit: Handlers;
}

/**
 * What the parts of a machine tell the machine. It is made before the parts, and given to each of them; the machine connects its
 * handlers when it has made them all, so that no handler can name a part that is not there yet.
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
