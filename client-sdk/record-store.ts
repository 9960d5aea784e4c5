/**
 * Keeps one small text per unfinished upload between runs. What comes back is not trusted: the engine checks every field, and an
 * upload goes on without a record when a call throws.
 */
export interface RecordStore {
  /** The text saved under `key`, or undefined. `key` is any string; the store makes it safe for where it writes. */
  load(key: string): Promise<string | undefined>
  /** Replaces the text whole: a crash leaves the old one or the new one. */
  save(key: string, text: string): Promise<void>
  /** Does nothing where there is no such record. */
  delete(key: string): Promise<void>
}

/** Records that last as long as the process. */
export function createMemoryRecordStore(): RecordStore {
  const texts = new Map<string, string>()
  return {
    load: async (key) => texts.get(key),
    save: async (key, text) => void texts.set(key, text),
    delete: async (key) => void texts.delete(key),
  }
}
