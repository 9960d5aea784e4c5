import type { RecordStore } from './record-store.ts'
import { formatRecord, parseRecord, recordKey, type UploadRecord } from './upload-record.ts'

/** The record of one upload, in a store that may fail. None of these ever throws. */
export interface SafeRecord {
  load(): Promise<UploadRecord | undefined>
  save(id: string): Promise<void>
  delete(): Promise<void>
}

/** `onError` hears of the first failure. */
export function createSafeRecord(
  store: RecordStore | undefined,
  about: { server: string; fingerprint: string; sizeBytes: number; identity?: string | undefined },
  nowMs: () => number,
  onError: (error: unknown) => void,
): SafeRecord {
  const { server, fingerprint, sizeBytes } = about
  const key = recordKey(server, fingerprint, about.identity)
  let isReported = false

  async function safely<Result>(work: (store: RecordStore) => Promise<Result>): Promise<Result | undefined> {
    if (!store) return undefined
    try {
      return await work(store)
    } catch (error) {
      if (!isReported) onError(error)
      isReported = true
      return undefined
    }
  }

  return {
    load: async () => parseRecord(await safely((records) => records.load(key)), about),
    save: async (id) => {
      const savedAt = new Date(nowMs()).toISOString()
      await safely((records) =>
        records.save(key, formatRecord({ version: 1, server, id, fingerprint, sizeBytes, savedAt })),
      )
    },
    delete: async () => void (await safely((records) => records.delete(key))),
  }
}
