/** The suite that must fail with a bug: a test file, or the tests in it whose title contains a text; or simulated seeds. */
export type Suite = { readonly test: string; readonly title?: string } | { readonly seeds: string };

/** A bug: in `file`, the only occurrence of `find` is replaced. */
export interface Mutant {
  readonly bug: string;
  readonly file: string;
  readonly find: string;
  readonly put: string;
  readonly suite: Suite;
}
