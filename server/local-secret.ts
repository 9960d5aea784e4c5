import { randomBytes } from 'node:crypto'
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The file in the data directory with the secret that signs tokens in local mode. */
export function localSecretFile(dataDir: string): string {
  return join(dataDir, 'jwt-secret')
}

/** The secret of `dataDir`, made on first use: 256 random bits in hex, readable by its owner only. Processes that start together agree on one. */
export async function localSecret(dataDir: string): Promise<string> {
  const file = localSecretFile(dataDir)
  const existing = await read(file)
  if (existing) return existing
  await mkdir(dataDir, { recursive: true })
  const draft = `${file}.${process.pid}`
  await writeFile(draft, `${randomBytes(32).toString('hex')}\n`, { mode: 0o600 })
  // A link appears with its content or not at all, and never replaces what another process made first.
  await link(draft, file).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(draft, { force: true })
  const made = await read(file)
  if (!made) throw new Error(`${file} is empty: remove it`)
  return made
}

async function read(file: string): Promise<string | null> {
  try {
    return (await readFile(file, 'utf8')).trim() || null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
