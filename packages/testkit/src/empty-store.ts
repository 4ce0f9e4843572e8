/** The numbers of a store that holds nothing and does nothing. */
export const EMPTY_STORE = {
  entries: 0,
  journalRows: 0,
  databaseBytes: 0,
  walBytes: 0,
  unfoldedEntries: 0,
  unfoldedBytes: 0,
  pendingRecords: 0,
  pendingBytes: 0,
  purging: false,
  failed: false,
} as const;
