/** The keys after `after` (exclusive) through `through` (inclusive), in key order; null stands for the start or the end of the key space. */
export interface KeyRange {
  readonly after: string | null;
  readonly through: string | null;
}
