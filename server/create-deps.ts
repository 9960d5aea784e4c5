import type { Config } from './config.ts'
import { createDatabase } from './db/client.ts'
import type { Deps } from './deps.ts'
import { createLogger } from './log.ts'
import { createMetrics } from './metrics.ts'
import { createAliyunObjectStore } from './oss/aliyun-object-store.ts'
import { createBucketSettings } from './oss/bucket-settings.ts'
import { type CredentialSource, defaultCredentialChain, staticCredentials } from './oss/credential-source.ts'
import { createAliyunCredentialIssuer } from './sts/aliyun-credential-issuer.ts'
import { createCredentialCache } from './sts/credential-cache.ts'
import type { CredentialIssuer } from './sts/credential-issuer.ts'
import { createPatientIssuer } from './sts/patient-issuer.ts'
import { packageVersion } from './version.ts'

/** Connections per process. A request holds one for a few milliseconds, never while it waits for OSS. */
const DATABASE_CONNECTIONS = 10

/**
 * Builds what a server holds; `own` replaces parts of it, such as the logger of a surrounding app. Opens no connection yet, so it works while
 * the database is down. Close with {@link closeDeps}. Throws when the configuration leaves the database or the token key to
 * `partway serve`: a library starts neither a Postgres nor a secret of its own.
 */
export function createDeps(config: Config, own: Partial<Omit<Deps, 'config'>> = {}): Deps {
  if (config.jwt.key === null)
    throw new Error('Set JWT_SECRET, JWT_PUBLIC_KEY or JWT_JWKS_URL: nothing verifies tokens.')
  const log = own.log ?? createLogger({ level: config.logLevel })
  const metrics = own.metrics ?? createMetrics({ version: packageVersion() })
  const now = own.now ?? (() => new Date())
  const db = own.db ?? openDatabase(config, log)
  metrics.watchPool(db.poolSize)
  const { credentials, ...oss } = config.oss
  const ownKey = credentials ? staticCredentials(credentials) : defaultCredentialChain()
  const bucketSettings =
    own.bucketSettings ?? createBucketSettings({ ...oss, credentials: ownKey, now, observe: metrics.ossCall })
  const objects =
    own.objects ??
    createAliyunObjectStore({
      ...oss,
      credentials: ownKey,
      signContentLength: config.uploads.signContentLength,
      forbidOverwrite: config.uploads.forbidOverwrite,
      now,
      observe: metrics.ossCall,
    })
  // Null is a choice, too.
  const sts = own.sts === undefined ? openSts(config, ownKey, { now, log, metrics }) : own.sts
  return { config, db, objects, bucketSettings, sts, now, log, metrics, ...(own.passed ? { passed: own.passed } : {}) }
}

/** Ends the connections to database, object storage and STS. Stop background work and the HTTP server first. */
export async function closeDeps(deps: Pick<Deps, 'db' | 'objects' | 'bucketSettings' | 'sts'>): Promise<void> {
  await Promise.all([deps.objects.close(), deps.bucketSettings.close(), deps.db.close(), deps.sts?.close()])
}

/** Calls nobody yet: presigned mode never asks STS for anything. */
function openSts(
  { sts }: Config,
  ownKey: CredentialSource,
  { now, log, metrics }: Pick<Deps, 'now' | 'log' | 'metrics'>,
): CredentialIssuer | null {
  if (sts.roleArn === null) return null
  const issuer = createAliyunCredentialIssuer({
    endpoint: sts.endpoint,
    roleArn: sts.roleArn,
    getKey: () => ownKey.get(),
    now,
    observe: metrics.stsCall,
  })
  const onRenewalFailure = (error: unknown) =>
    log.warn({ err: error }, 'credentials could not be renewed ahead of time')
  return createCredentialCache({ issuer: createPatientIssuer({ issuer, now }), now, onRenewalFailure })
}

function openDatabase(config: Config, log: Deps['log']): Deps['db'] {
  const databaseUrl = config.database.url
  if (databaseUrl === null) throw new Error('Set DATABASE_URL: only "partway serve" starts a Postgres by itself.')
  return createDatabase({ databaseUrl, maxConnections: DATABASE_CONNECTIONS, log })
}
