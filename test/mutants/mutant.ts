/** The one suite that has to notice a bug: a file of tests, or those in it whose title has a text; or simulated seeds. */
export type Suite = { readonly test: string; readonly title?: string } | { readonly seeds: string };

/** A bug as it could be made: in `file`, what `find` says once is replaced. */
export interface Mutant {
  readonly bug: string;
  readonly file: string;
  readonly find: string;
  readonly put: string;
  readonly suite: Suite;
}
