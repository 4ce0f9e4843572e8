/** Keys after `after` through `through`, in the order of keys; null for the ends of the key space. */
export interface KeyRange {
  readonly after: string | null;
  readonly through: string | null;
}
