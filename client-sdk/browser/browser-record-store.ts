import { createMemoryRecordStore, type RecordStore } from '../record-store.ts'
import { createIndexedDbRecords } from './indexed-db-records.ts'
import type { RecordPlace, StoredText } from './stored-text.ts'
import { createWebStorageRecords } from './web-storage-records.ts'

/** Uploads do not live that long; their records have no use. */
const maxAgeMs = 30 * 86_400_000

/**
 * Records in IndexedDB, or in localStorage where that fails, or until the page is closed where both do: then `save` rejects, but `load`
 * finds what it was given. A browser may refuse its storage at any time, so all places are looked in, and the newest record counts.
 */
export function createBrowserRecordStore(
  places: readonly RecordPlace[] = [createIndexedDbRecords(), createWebStorageRecords()],
): RecordStore {
  const memory = createMemoryRecordStore()
  let isSwept = false

  async function sweep(): Promise<void> {
    if (isSwept) return
    isSwept = true
    await inAll((place) => place.deleteOlder(Date.now() - maxAgeMs))
  }

  /** Does the same in all places at once. What a place has to say, or undefined where it failed. */
  function inAll<Result>(work: (place: RecordPlace) => Promise<Result>): Promise<(Result | undefined)[]> {
    return Promise.all(places.map((place) => work(place).catch(() => undefined)))
  }

  return {
    async load(key) {
      const inMemory = await memory.load(key)
      if (inMemory !== undefined) return inMemory
      const found = await inAll((place) => place.load(key))
      const newest = found.reduce(newerOf, undefined)
      return newest && newest.savedAtMs >= Date.now() - maxAgeMs ? newest.text : undefined
    },

    async save(key, text) {
      const stored: StoredText = { text, savedAtMs: Date.now() }
      let failure: unknown
      for (const [index, place] of places.entries()) {
        try {
          await place.save(key, stored)
        } catch (error) {
          failure = error
          continue
        }
        await memory.delete(key)
        // What a less preferred place still knows is out of date now.
        for (const other of places.slice(index + 1)) await other.delete(key).catch(() => {})
        await sweep()
        return
      }
      await memory.save(key, text)
      throw failure
    },

    async delete(key) {
      await memory.delete(key)
      await inAll((place) => place.delete(key))
    },
  }
}

function newerOf(one: StoredText | undefined, other: StoredText | undefined): StoredText | undefined {
  return other && (!one || other.savedAtMs > one.savedAtMs) ? other : one
}
