import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const abandonedAfterMs = 60 * 60 * 1000

/** Makes the folder `target` appear complete or not at all: `fill` works in a fresh sibling that is then renamed.
 *  Of several processes doing so at once one wins, and the others go on with the winner's folder. A process killed
 *  while filling leaves only its sibling, which a later call removes after an hour. Throws what `fill` throws. */
export async function publishFolder(target: string, mode: number, fill: (folder: string) => Promise<void>) {
  if (await exists(target)) return
  await removeAbandoned(target)
  const fresh = `${target}.new-${randomBytes(6).toString('hex')}`
  await mkdir(fresh, { mode })
  try {
    await chmod(fresh, mode) // mkdir's mode is cut by the umask
    await fill(fresh)
    await rename(fresh, target)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    // A folder that has come into being meanwhile can't be renamed over, for it isn't empty.
    if (!(isRenameConflict(error) && (await exists(target)))) throw error
  }
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

async function removeAbandoned(target: string) {
  for (const name of await readdir(dirname(target))) {
    if (!name.startsWith(`${basename(target)}.new-`)) continue
    const path = join(dirname(target), name)
    const modifiedMs = await stat(path).then(
      (found) => found.mtimeMs,
      () => Date.now(),
    )
    if (modifiedMs < Date.now() - abandonedAfterMs) await rm(path, { recursive: true, force: true })
  }
}

function isRenameConflict(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOTEMPTY', 'EEXIST', 'EPERM'].includes(String(error.code))
}
