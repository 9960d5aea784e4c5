import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** The unprivileged account that Postgres runs as when we are root; null means that it runs as ourselves. */
export type PostgresUser = { name: string; uid: number; gid: number } | null

/** Chooses the account. Postgres refuses to run as root, and initdb refuses a uid that has no name in the account
 *  database, so a made-up number is no way out. `postgres` is preferred; `nobody` exists on practically every
 *  system. Throws when root has no other account at all. */
export function choosePostgresUser(): PostgresUser {
  if (process.getuid?.() !== 0) return null
  const accounts = readAccounts()
  const user =
    accounts.find(({ name }) => name === 'postgres' || name === '_postgres') ??
    accounts.find(({ name }) => name === 'nobody') ??
    accounts.find(({ uid }) => uid > 0)
  if (user) return user
  throw new Error(
    'Embedded Postgres can not run as root, and /etc/passwd names no other user: set DATABASE_URL instead',
  )
}

/** The account that owns existing data: Postgres insists on running as the owner of its data directory. */
export function postgresUserOf(owner: { uid: number; gid: number }): PostgresUser {
  if (process.getuid?.() !== 0) return null
  return { name: readAccounts().find(({ uid }) => uid === owner.uid)?.name ?? `uid ${owner.uid}`, ...owner }
}

/** Whether the account can enter the folder `path`, by trying: permissions of every parent, ACLs and mounts count. */
export function canEnter(user: PostgresUser, path: string): boolean {
  return user === null || runShellAs(user, 'cd -- "$1"', path)
}

/** Whether the account can read the file `path`. */
export function canRead(user: PostgresUser, path: string): boolean {
  return user === null || runShellAs(user, 'exec 3< "$1"', path)
}

/** The spawn options that start a program under the account. */
export function spawnIdentity(user: PostgresUser): { uid?: number; gid?: number } {
  return user ? { uid: user.uid, gid: user.gid } : {}
}

function runShellAs(user: NonNullable<PostgresUser>, script: string, path: string): boolean {
  const { status } = spawnSync('/bin/sh', ['-c', script, 'sh', path], {
    ...spawnIdentity(user),
    cwd: '/',
    stdio: 'ignore',
  })
  return status === 0
}

function readAccounts(): NonNullable<PostgresUser>[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name: name ?? '', uid: Number(uid), gid: Number(gid) }))
    .filter(({ name, uid, gid }) => name !== '' && !name.startsWith('#') && uid > 0 && Number.isInteger(gid))
}
