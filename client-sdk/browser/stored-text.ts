/** A record's text as a browser's storage keeps it. */
export interface StoredText {
  text: string
  /** Milliseconds since 1970: of two places that know a record, the newer one is right. */
  savedAtMs: number
}

/** One of the places a browser has for records. Any call may throw, and none takes longer than a moment. */
export interface RecordPlace {
  /** Undefined for what is not there, or not as it was saved. */
  load(key: string): Promise<StoredText | undefined>
  save(key: string, stored: StoredText): Promise<void>
  delete(key: string): Promise<void>
  /** Deletes what was saved before this, and what cannot be read. */
  deleteOlder(thanMs: number): Promise<void>
}

/** What comes back from storage is foreign input. */
export function asStoredText(value: unknown): StoredText | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { text, savedAtMs } = value as Partial<StoredText>
  return typeof text === 'string' && typeof savedAtMs === 'number' ? { text, savedAtMs } : undefined
}
