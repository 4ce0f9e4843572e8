/** How a suite gets hold of stores. */
export interface StoreHarness<S> {
  /** Opens what is kept under `name`, creating it if there is nothing. */
  open(name: string): Promise<S>;
  /** Ends a store in good order. */
  close(store: S): Promise<void>;
  /** Ends a store as the death of its process would. */
  crash(store: S): Promise<void>;
  /** Resolves when the store has nothing left to do in the background. */
  idle(store: S): Promise<void>;
}
