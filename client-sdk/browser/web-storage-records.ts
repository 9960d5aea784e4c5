import { asStoredText, type RecordPlace } from './stored-text.ts'

const prefix = 'partway:record:'

/** Records in localStorage, which is asked for anew each time: where it is blocked, the very mention of it throws. */
export function createWebStorageRecords(): RecordPlace {
  return {
    load: async (key) => parse(localStorage.getItem(prefix + key)),
    save: async (key, stored) => localStorage.setItem(prefix + key, JSON.stringify(stored)),
    delete: async (key) => localStorage.removeItem(prefix + key),
    async deleteOlder(thanMs) {
      for (const name of Object.keys(localStorage)) {
        if (!name.startsWith(prefix)) continue
        if ((parse(localStorage.getItem(name))?.savedAtMs ?? 0) < thanMs) localStorage.removeItem(name)
      }
    },
  }
}

function parse(json: string | null) {
  try {
    return asStoredText(JSON.parse(json ?? 'null'))
  } catch {
    return undefined
  }
}
