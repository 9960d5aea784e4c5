import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

/** What a server in local mode leaves in its data directory, so that the CLI beside it needs neither URL nor token. */
const LocalFile = z.object({
  /** Where the running server answers. */
  url: z.url(),
  pid: z.int(),
  /** Where its object storage and its STS answer, if those are the local cloud. */
  cloud: z.object({ ossUrl: z.url(), publicOssUrl: z.url(), stsUrl: z.url() }).optional(),
  /** Of the file with the secret that signs tokens; null when the server got its secret from JWT_SECRET. */
  secretFile: z.string().nullable(),
  issuer: z.string().nullable(),
  audience: z.string().nullable(),
})
export type LocalFile = z.infer<typeof LocalFile>

const pathIn = (dataDir: string) => join(dataDir, 'local.json')

/** The file of `dataDir`; null when there is none or it is damaged: then no local server is known. */
export async function readLocalFile(dataDir: string): Promise<LocalFile | null> {
  const content = await readFile(pathIn(dataDir), 'utf8').catch(() => null)
  if (content === null) return null
  try {
    return LocalFile.parse(JSON.parse(content))
  } catch {
    return null
  }
}

/** Writes the file for its owner's eyes only, whole or not at all. */
export async function writeLocalFile(dataDir: string, file: LocalFile): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const draft = `${pathIn(dataDir)}.${process.pid}`
  await writeFile(draft, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
  await rename(draft, pathIn(dataDir))
}

/** Removes the file if it is still that of process `pid`; a server that took over keeps its own. */
export async function removeLocalFile(dataDir: string, pid: number): Promise<void> {
  const file = await readLocalFile(dataDir)
  if (file?.pid === pid) await rm(pathIn(dataDir), { force: true })
}
