/** How a contract test opens, closes and kills stores. */
export interface StoreHarness<S> {
  /** Opens the store `name`, and creates it if there is none. */
  open(name: string): Promise<S>;
  /** Closes a store in order. */
  close(store: S): Promise<void>;
  /** Ends a store as the death of its process would. */
  crash(store: S): Promise<void>;
  /** Resolves when the store has nothing left to do in the background. */
  idle(store: S): Promise<void>;
}
