import { asStoredText, type RecordPlace } from './stored-text.ts'

const databaseName = 'partway'
const storeName = 'records'
/** A database that does not answer in this time is broken, or being deleted or moved by somebody else. */
const timeoutMs = 2000
/** It is then left alone for this long. */
const pauseMs = 60_000

/**
 * Records in IndexedDB. The database is opened for each call: a connection that is kept can be closed under our hands at any time,
 * and would stand in the way of whoever wants to delete the site's data.
 */
export function createIndexedDbRecords(): RecordPlace {
  let brokenUntilMs = 0

  async function withStore<Result>(
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore) => IDBRequest<Result>,
  ): Promise<Result> {
    if (Date.now() < brokenUntilMs) throw new Error('IndexedDB did not answer')
    try {
      return await runInStore(mode, work)
    } catch (error) {
      if (error instanceof TooLate) brokenUntilMs = Date.now() + pauseMs
      throw error
    }
  }

  return {
    load: async (key) => asStoredText(await withStore('readonly', (store) => store.get(key))),
    save: async (key, stored) => void (await withStore('readwrite', (store) => store.put(stored, key))),
    delete: async (key) => void (await withStore('readwrite', (store) => store.delete(key))),
    async deleteOlder(thanMs) {
      await withStore('readwrite', (store) => {
        const walking = store.openCursor()
        walking.onsuccess = () => {
          const cursor = walking.result
          if (!cursor) return
          if ((asStoredText(cursor.value)?.savedAtMs ?? 0) < thanMs) cursor.delete()
          cursor.continue()
        }
        return walking
      })
    },
  }
}

class TooLate extends Error {}

/** Opens, does one thing, and closes, whatever happens. Resolves when what was written is written. */
function runInStore<Result>(
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<Result>,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let database: IDBDatabase | undefined
    let hasEnded = false
    const end = (settle: () => void) => {
      hasEnded = true
      clearTimeout(timer)
      database?.close()
      settle()
    }
    const fail = (error: unknown) => end(() => reject(error ?? new Error('IndexedDB failed')))
    const timer = setTimeout(() => fail(new TooLate('IndexedDB does not answer')), timeoutMs)
    const opening = indexedDB.open(databaseName, 1)
    opening.onupgradeneeded = () => void opening.result.createObjectStore(storeName)
    opening.onerror = () => fail(opening.error)
    opening.onblocked = () => fail(new TooLate('IndexedDB is blocked'))
    opening.onsuccess = () => {
      database = opening.result
      // Too late: nobody waits any more.
      if (hasEnded) return database.close()
      database.onversionchange = () => fail(new Error('the database is being deleted'))
      try {
        const transaction = database.transaction(storeName, mode)
        const request = work(transaction.objectStore(storeName))
        transaction.oncomplete = () => end(() => resolve(request.result))
        transaction.onabort = () => fail(transaction.error ?? request.error)
      } catch (error) {
        fail(error)
      }
    }
  })
}
