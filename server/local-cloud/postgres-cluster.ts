import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chown, link, mkdir, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { PostgresBinaries } from './postgres-binaries.ts'
import { canEnter, choosePostgresUser, type PostgresUser, postgresUserOf, spawnIdentity } from './postgres-user.ts'
import { stopPostmaster } from './postmaster.ts'
import { exists, publishFolder } from './publish-folder.ts'

/** Where one Postgres keeps everything, and who runs it. `folder` holds `data` (PGDATA), `password`, `port` and
 *  `postgres.log`; `runtimeDir`, its parent, can be entered by `user` and may hold things shared by other clusters. */
export type PostgresCluster = { folder: string; data: string; log: string; runtimeDir: string; user: PostgresUser }

export const clusterSuperuser = 'partway'

// Where root keeps what an unprivileged user must reach when the data directory itself is closed to that user.
const reachableRoot = '/var/lib/partway'

/** Finds the place for the cluster of a data directory, which is made if missing. It is `cluster` inside, unless we
 *  are root and the user that must run Postgres can't get there: then it is a folder under /var/lib/partway, and the
 *  file `cluster-location` in the data directory points to it. Deleting the data directory deletes the database in
 *  both cases: a folder that no pointer names any more is removed by the next start for the same data directory. */
export async function locateCluster(dataDir: string): Promise<PostgresCluster> {
  await mkdir(dataDir, { recursive: true })
  const home = await realpath(dataDir)
  const inside = join(home, 'cluster')
  const pointer = join(home, 'cluster-location')
  const user = choosePostgresUser()
  if (!(await exists(pointer)) && ((await exists(inside)) || canEnter(user, home))) return describe(inside, user)

  await mkdir(reachableRoot, { recursive: true, mode: 0o755 })
  if (!canEnter(user, reachableRoot)) {
    throw new Error(
      `Embedded Postgres needs a folder that user ${user?.name} can enter: ${home} and ${reachableRoot} are not`,
    )
  }
  const hash = createHash('sha256').update(home).digest('hex').slice(0, 16)
  const folder = await claimPointer(pointer, join(reachableRoot, `${hash}-${randomBytes(4).toString('hex')}`))
  await removeOrphans(hash, folder)
  return describe(folder, user)
}

/** Runs initdb unless the cluster exists. Losing a race against another process is fine: the winner's is used.
 *  @param durable whether initdb waits for the disk */
export async function createCluster(cluster: PostgresCluster, binaries: PostgresBinaries, durable: boolean) {
  // The user who runs Postgres owns its data and nothing beside it: root never writes where that user could have put a
  // link to somewhere else.
  const { user } = cluster
  await publishFolder(cluster.folder, user ? 0o711 : 0o700, async (fresh) => {
    const [data, password] = [join(fresh, 'data'), join(fresh, 'password')]
    await mkdir(data, { mode: 0o700 })
    await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600 })
    if (user) await Promise.all([data, password].map((path) => chown(path, user.uid, user.gid)))
    const options = ['--username', clusterSuperuser, '--pwfile', password, '--auth', 'scram-sha-256']
    // Byte order, the same on every machine whatever its locale.
    const encoding = ['--encoding', 'UTF8', '--locale', 'C']
    const args = ['--pgdata', data, ...options, ...encoding, ...(durable ? [] : ['--no-sync'])]
    const run = promisify(execFile)(binaries.initdb, args, { ...spawnIdentity(user), cwd: '/', env: binaries.env })
    await run.catch((error: { stderr?: string; message: string }) => {
      throw new Error(`initdb failed in ${dirname(cluster.folder)}: ${error.stderr?.trim() || error.message}`)
    })
    if (user) await chown(password, 0, 0)
  })
  const version = (await readFile(join(cluster.data, 'PG_VERSION'), 'utf8')).trim()
  if (version === binaries.majorVersion) return
  throw new Error(
    `${cluster.data} was made by Postgres ${version}, the installed one is ${binaries.majorVersion}: ` +
      'move the folder away, or set DATABASE_URL to a server of that version',
  )
}

async function describe(folder: string, chosen: PostgresUser): Promise<PostgresCluster> {
  const data = join(folder, 'data')
  const owner = await stat(data).catch(() => null)
  const user = owner ? postgresUserOf(owner) : chosen
  return { folder, data, log: join(folder, 'postgres.log'), runtimeDir: dirname(folder), user }
}

/** Returns what the pointer says, after making it say `folder` if there is none; of two processes one is first. */
async function claimPointer(pointer: string, folder: string): Promise<string> {
  const draft = `${pointer}.${randomBytes(6).toString('hex')}`
  await writeFile(draft, `${folder}\n`, { mode: 0o600 })
  await link(draft, pointer).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
  await rm(draft)
  return (await readFile(pointer, 'utf8')).trim()
}

async function removeOrphans(hash: string, current: string) {
  for (const name of await readdir(reachableRoot)) {
    const folder = join(reachableRoot, name)
    // `.new-…` is another process's cluster in the making; publishFolder looks after those.
    if (!name.startsWith(`${hash}-`) || folder.startsWith(current) || current.startsWith(folder)) continue
    await stopPostmaster(join(folder, 'data'))
    await rm(folder, { recursive: true, force: true })
  }
}
