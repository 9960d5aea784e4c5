import { type Config, withLocalDefaults } from '../config.ts'
import { closeDeps, createDeps } from '../create-deps.ts'
import { createDatabase, type Database } from '../db/client.ts'
import { packageMigrationsDirectory, readMigrationFiles } from '../db/migration-files.ts'
import type { Deps } from '../deps.ts'
import { mintDevToken } from '../dev-token.ts'
import { createTokenVerifier } from '../http/verify-token.ts'
import { localSecret } from '../local-secret.ts'
import { createLogger } from '../log.ts'
import { type BucketSettings, createBucketSettings } from '../oss/bucket-settings.ts'
import { pageOrigins } from '../oss/cors-preflight.ts'
import { staticCredentials } from '../oss/credential-source.ts'
import { urlTo } from '../oss-config.ts'
import { checkCors } from './cors-check.ts'
import { type Check, check, type Finding, ok } from './doctor/finding.ts'
import { fixBucket } from './doctor/fix-bucket.ts'
import { checkLifecycle } from './doctor/lifecycle-check.ts'
import { checkLive } from './doctor/live-check.ts'
import { checkPublicEndpoint } from './doctor/public-endpoint-check.ts'
import { checkRights } from './doctor/rights-check.ts'
import { checkRole } from './doctor/role-check.ts'
import { checkVersioning } from './doctor/versioning-check.ts'
import { checkWebhook } from './doctor/webhook-check.ts'
import { readLocalFile } from './local-file.ts'

const FETCH_TIMEOUT_MS = 5_000
/** OSS refuses signatures that are 15 minutes off; long before that, grants begin to die early. */
const MAX_SKEW_SECONDS = 60

export interface DoctorOptions {
  /** Also start an upload, send parts and give it up. */
  isLive?: boolean
  /** Add the rules that the bucket lacks, first. */
  isFixing?: boolean
}

/** Asks everything the server depends on, each thing by itself, so that one failure hides no other. Leaves nothing behind. */
export async function checkEverything(given: Config, options: DoctorOptions = {}): Promise<Check[]> {
  const config = await withRunningCloud(given)
  const deps = openDeps(config)
  const { objects, bucketSettings, sts } = deps
  const { webhook } = config
  const named = (name: string, find: () => Promise<Finding>) => check(config, name, find)
  try {
    const fixes = options.isFixing ? await fix(config, bucketSettings) : []
    const checks = await Promise.all([
      named('database', () => checkDatabase(config)),
      named('storage', () => checkRights(config, objects, bucketSettings)),
      named('public endpoint', () => checkPublicEndpoint(config, objects)),
      named('bucket CORS', async () => checkCors(config, await ownUrlOf(config))),
      named('bucket lifecycle', () => checkLifecycle(config, bucketSettings)),
      named('overwriting', () => checkVersioning(config, bucketSettings)),
      named('clock', () => checkClock(config)),
      named('vended credentials', () => checkRole(config, sts)),
      named('tokens', () => checkTokens(config)),
      ...(webhook ? [named('webhook', () => checkWebhook(webhook))] : []),
    ])
    return [...fixes, ...checks, ...(options.isLive ? await checkLive(config, objects) : [])]
  } finally {
    await closeDeps(deps)
  }
}

/** In local mode by the root key of the local cloud: elsewhere too, the server needs no right to change settings of the bucket. */
async function fix(config: Config, own: BucketSettings): Promise<Check[]> {
  const cors = await checkCors(config, await ownUrlOf(config)).catch(() => null)
  const lifecycle = await checkLifecycle(config, own).catch(() => null)
  const lacking = {
    lifecycle: lifecycle?.status !== 'ok',
    corsOrigins: cors?.status === 'failed' ? pageOrigins(config, await ownUrlOf(config)) : [],
  }
  if (!config.localCloud) return fixBucket(config, own, lacking)
  const { rootAccessKeyId: accessKeyId, rootAccessKeySecret: accessKeySecret } = config.localCloud
  const credentials = staticCredentials({ accessKeyId, accessKeySecret })
  const owner = createBucketSettings({ ...config.oss, credentials, now: () => new Date() })
  return fixBucket(config, owner, lacking).finally(() => owner.close())
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

function openDeps(config: Config): Deps {
  // Nothing of the database is touched: createDeps opens no connection.
  const complete = withLocalDefaults(config, { databaseUrl: 'postgres://unused', jwtSecret: 'unused' })
  return createDeps(complete, { log: createLogger({ level: 'silent' }) })
}

async function reach(url: string): Promise<Response> {
  try {
    return await fetch(url, { redirect: 'manual', signal: AbortSignal.timeout(FETCH_TIMEOUT_MS) })
  } catch (cause) {
    throw new Error(`${new URL(url).origin} cannot be reached.`, { cause })
  }
}
