import { randomBytes } from 'node:crypto'
import { type Config, withLocalDefaults } from '../config.ts'
import { createDeps } from '../create-deps.ts'
import { createDatabase, type Database } from '../db/client.ts'
import { packageMigrationsDirectory, readMigrationFiles } from '../db/migration-files.ts'
import { mintDevToken } from '../dev-token.ts'
import { createTokenVerifier } from '../http/verify-token.ts'
import { localSecret } from '../local-secret.ts'
import { createLogger, withoutSecrets } from '../log.ts'
import type { ObjectStore } from '../oss/object-store.ts'
import { urlTo } from '../oss-config.ts'
import { checkCors } from './cors-check.ts'
import { readLocalFile } from './local-file.ts'

export interface Check {
  name: string
  status: 'ok' | 'failed' | 'skipped'
  detail: string
}

const FETCH_TIMEOUT_MS = 5_000
/** OSS refuses signatures that are 15 minutes off; long before that, grants begin to die early. */
const MAX_SKEW_SECONDS = 60

/** Asks everything the server depends on, each thing by itself, so that one failure hides no other. Leaves nothing behind. */
export async function checkEverything(given: Config): Promise<Check[]> {
  const config = await withRunningCloud(given)
  const objects = openObjects(config)
  try {
    return await Promise.all([
      check('database', () => checkDatabase(config)),
      check('storage', () => checkStorage(config, objects)),
      check('public endpoint', () => checkPublicEndpoint(config)),
      check('bucket CORS', async () => checkCors(config, await ownUrlOf(config))),
      check('clock', () => checkClock(config)),
      check('tokens', () => checkTokens(config)),
    ])
  } finally {
    await objects.close()
  }
}

/** The local cloud answers where the running server started it, whatever ports the doctor's own variables name. */
async function withRunningCloud(config: Config): Promise<Config> {
  const cloud = config.localCloud && (await readLocalFile(config.dataDir))?.cloud
  if (!cloud) return config
  const { ossUrl, publicOssUrl, stsUrl } = cloud
  return {
    ...config,
    oss: { ...config.oss, endpoint: ossUrl, publicEndpoint: publicOssUrl },
    sts: { ...config.sts, endpoint: stsUrl },
  }
}

export type Finding = Omit<Check, 'name'>
const ok = (detail: string): Finding => ({ status: 'ok', detail })

async function check(name: string, find: () => Promise<Finding>): Promise<Check> {
  try {
    return { name, ...(await find()) }
  } catch (error) {
    return { name, status: 'failed', detail: withoutSecrets(reasonOf(error)) }
  }
}

/** The error's message and those of its causes: an operator reads this, not a caller. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause instanceof Error ? ` ${reasonOf(error.cause)}` : ''
  return `${error.message || error.name}${cause}`
}

async function checkDatabase(config: Config): Promise<Finding> {
  if (config.database.url === null) return checkLocalServer(config)
  const log = createLogger({ level: 'silent' })
  const db = createDatabase({ databaseUrl: config.database.url, maxConnections: 1, log })
  try {
    await db.ping()
    const pending = await pendingMigrations(db)
    if (pending.length === 0) return ok('reachable and up to date')
    return { status: 'failed', detail: `reachable; run "partway migrate", for it lacks ${pending.join(', ')}` }
  } finally {
    await db.close()
  }
}

/** The embedded Postgres belongs to the server that runs on it, so that server is asked. */
async function checkLocalServer(config: Config): Promise<Finding> {
  const local = await readLocalFile(config.dataDir)
  const skipped: Finding = { status: 'skipped', detail: 'DATABASE_URL is not set; "partway serve" starts a Postgres' }
  if (!local) return skipped
  const response = await reach(`${local.url}/readyz`).catch(() => null)
  if (!response) return skipped
  const { checks } = (await response.json()) as { checks?: { database?: string } }
  if (checks?.database === 'ok') return ok(`embedded Postgres, in use by the server at ${local.url}`)
  return { status: 'failed', detail: `the server at ${local.url} cannot reach its database` }
}

async function pendingMigrations(db: Database): Promise<string[]> {
  const files = await readMigrationFiles(packageMigrationsDirectory())
  const rows = await db.prisma.$queryRaw<
    { migration_name: string }[]
  >`SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL`.catch(() => [])
  const applied = new Set(rows.map((row) => row.migration_name))
  return files.map((file) => file.name).filter((name) => !applied.has(name))
}

/** Uses every right of the server's RAM policy once, on a key that nothing else uses. */
async function checkStorage(config: Config, objects: ObjectStore): Promise<Finding> {
  const key = `${config.uploads.keyPrefix}doctor/${randomBytes(16).toString('hex')}`
  const attributes = { contentType: 'application/octet-stream', contentDisposition: 'attachment', metadata: {} }
  await objects.ping()
  const ossUploadId = await objects.initiateUpload(key, attributes)
  try {
    await objects.listParts(key, ossUploadId, { after: 0, limit: 1 })
    await objects.headObject(key)
    await objects.deleteObject(key)
  } finally {
    await objects.abortUpload(key, ossUploadId)
  }
  return ok(`${config.oss.bucket} at ${config.oss.endpoint}, with the rights Partway needs`)
}

async function checkPublicEndpoint(config: Config): Promise<Finding> {
  const { publicEndpoint } = config.oss
  await reach(publicEndpoint)
  return ok(`${publicEndpoint} answers from here; clients must reach it too`)
}

/** Where browsers reach this server: PUBLIC_URL, or in local mode the server that runs. */
async function ownUrlOf(config: Config): Promise<string | null> {
  if (config.http.publicUrl !== null || !config.localCloud) return config.http.publicUrl
  return (await readLocalFile(config.dataDir))?.url ?? urlTo(config.http.host, config.http.port)
}

async function checkClock(config: Config): Promise<Finding> {
  const response = await reach(config.oss.endpoint)
  const theirs = Date.parse(response.headers.get('date') ?? '')
  if (Number.isNaN(theirs)) return { status: 'skipped', detail: 'object storage sent no Date' }
  const skewSeconds = Math.round((Date.now() - theirs) / 1000)
  if (Math.abs(skewSeconds) <= MAX_SKEW_SECONDS) return ok(`within ${MAX_SKEW_SECONDS} s of object storage's`)
  return { status: 'failed', detail: `${skewSeconds} s off object storage's: synchronise this machine's clock` }
}

async function checkTokens(config: Config): Promise<Finding> {
  const { key, issuer, audience } = config.jwt
  if (key?.kind === 'public-key') {
    createTokenVerifier(config, () => new Date())
    return ok('verified with JWT_PUBLIC_KEY')
  }
  if (key?.kind === 'jwks') {
    const response = await reach(key.url)
    const { keys } = (await response.json()) as { keys?: unknown[] }
    if (!response.ok || !Array.isArray(keys) || keys.length === 0) throw new Error('JWT_JWKS_URL serves no keys.')
    return ok(`JWT_JWKS_URL serves ${keys.length} keys`)
  }
  const secret = key?.secret ?? (await localSecret(config.dataDir))
  const token = mintDevToken({ secret, issuer, audience }, { subject: 'doctor', scopes: [], ttlSeconds: 60 })
  const development = { ...withLocalDefaults(config, { jwtSecret: secret }), environment: 'development' as const }
  await createTokenVerifier(development, () => new Date())(token)
  return ok(key === null ? 'signed with the secret of the data directory' : 'a token signed with JWT_SECRET verifies')
}

function openObjects(config: Config): ObjectStore {
  // Nothing of the database is touched: createDeps opens no connection.
  const complete = withLocalDefaults(config, { databaseUrl: 'postgres://unused', jwtSecret: 'unused' })
  return createDeps(complete, { log: createLogger({ level: 'silent' }) }).objects
}

async function reach(url: string): Promise<Response> {
  try {
    return await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
  } catch (cause) {
    throw new Error(`${new URL(url).origin} cannot be reached.`, { cause })
  }
}
