import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { RecordStore } from '../record-store.ts'

/** A larger file is not a record; it is not read. */
const maxBytes = 16_384
/** Uploads do not live that long; their records have no use. */
const maxAgeMs = 30 * 86_400_000
const ownName = /^partway-[0-9a-f]{32}\.json(\.[0-9a-f]{16}\.tmp)?$/

/**
 * Records as small files in `directory`, made when first needed. A record is written to a name of its own and renamed, so that neither a
 * crash nor another process leaves half of one. Files of ours that are older than 30 days are removed on the way.
 */
export function createDirectoryRecordStore(directory: string): RecordStore {
  // A hash, because keys hold paths and URLs: nothing in them can leave the directory or be too long for a name.
  const pathOf = (key: string) =>
    join(directory, `partway-${createHash('sha256').update(key).digest('hex').slice(0, 32)}.json`)
  let isSwept = false

  async function removeOld(): Promise<void> {
    isSwept = true
    for (const name of await readdir(directory)) {
      if (!ownName.test(name)) continue
      const path = join(directory, name)
      const age = Date.now() - (await stat(path)).mtimeMs
      if (age > maxAgeMs) await rm(path, { force: true })
    }
  }

  return {
    async load(key) {
      let file: Awaited<ReturnType<typeof open>>
      try {
        const path = pathOf(key)
        // A FIFO or device put in the record's place would never end.
        if (!(await stat(path)).isFile()) return undefined
        file = await open(path, 'r')
      } catch (error) {
        if ((error as { code?: unknown }).code === 'ENOENT') return undefined
        throw error
      }
      try {
        const { size } = await file.stat()
        return size > maxBytes ? undefined : await file.readFile('utf8')
      } finally {
        await file.close()
      }
    },

    async save(key, text) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const path = pathOf(key)
      const temporary = `${path}.${randomBytes(8).toString('hex')}.tmp`
      try {
        const file = await open(temporary, 'wx', 0o600)
        try {
          await file.writeFile(text)
          await file.sync()
        } finally {
          await file.close()
        }
        await rename(temporary, path)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
      // Others may be removing the same files: whatever goes wrong here is no reason to fail.
      if (!isSwept) await removeOld().catch(() => {})
    },

    async delete(key) {
      await rm(pathOf(key), { force: true })
    },
  }
}
