import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/* A file is either there whole or not there: it is written under another name and renamed. That survives a killed process; a
 * lost machine may lose the last moments, which a stand-in may. */

/** A name in `tmpDir` that nobody else uses. Everything in there is removed at start. */
export function temporaryPath(tmpDir: string): string {
  return join(tmpDir, randomBytes(12).toString('hex'))
}

/** Writes JSON so that readers and crashes see the old file or the new one. */
export async function writeJson(tmpDir: string, path: string, value: unknown): Promise<void> {
  const temporary = temporaryPath(tmpDir)
  await writeFile(temporary, JSON.stringify(value))
  await rename(temporary, path).catch(async (error) => {
    await rm(temporary, { force: true })
    throw error
  })
}

/** Reads JSON that this process or its predecessor wrote; null when the file is not there. */
export async function readJson<T>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return text === null ? null : (JSON.parse(text) as T)
}
