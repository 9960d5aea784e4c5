import type { Config } from './config.ts'
import type { Passed } from './crash-points.ts'
import type { Database } from './db/client.ts'
import type { Logger } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { BucketSettings } from './oss/bucket-settings.ts'
import type { ObjectStore } from './oss/object-store.ts'
import type { CredentialIssuer } from './sts/credential-issuer.ts'

/** What one running server holds. Everything per process is in here, so that several can run in one. */
export interface Deps {
  config: Config
  db: Database
  objects: ObjectStore
  bucketSettings: BucketSettings
  /** Null: this server vends no credentials. */
  sts: CredentialIssuer | null
  now: () => Date
  log: Logger
  metrics: Metrics
  /** Told of each crash point that a use case passes; only tests set it. */
  passed?: Passed
}

/** What a use case knows of the request that called it. */
export interface RequestContext {
  /** Fires when the caller hangs up. Whatever has begun to change something goes on all the same. */
  signal: AbortSignal
  /** Names the request in every line. */
  log: Logger
  requestId: string
  /** How the caller reached this app: scheme, host and mount path, without a slash at the end. The host is what the caller said. */
  reachedAt: string
}

/** What a use case answers: a status of its endpoint's `replies`, and the JSON for it. */
export interface Answer<Body = unknown> {
  status: number
  body: Body
}
