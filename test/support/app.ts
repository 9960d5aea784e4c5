import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import express from 'express'
import { type AppOptions, createApp } from '../../server/app.ts'
import { localCloudOptions } from '../../server/cli/local-cloud-options.ts'
import { type Config, type Environment, loadConfig } from '../../server/config.ts'
import { closeDeps, createDeps } from '../../server/create-deps.ts'
import type { Deps } from '../../server/deps.ts'
import { type DevClaims, mintDevToken } from '../../server/dev-token.ts'
import { listen } from '../../server/http/http-server.ts'
import { type LocalCloud, type LocalCloudOptions, startLocalCloud } from '../../server/local-cloud/local-cloud.ts'
import { createLogger } from '../../server/log.ts'
import { createTestDatabase } from './database.ts'
import { assertNoLeak, closed, opened, protect, protectPassword, watch } from './secret-watch.ts'
import { watchReplies } from './watched-replies.ts'

export interface TestAppOptions extends AppOptions {
  /** Variables of the server, beside what the test app sets itself. */
  environment?: Environment
  /** Changes what came of them. */
  config?: (config: Config) => Config
  /** Replaces parts of the deps: a clock, an object store that fails. */
  deps?: Partial<Omit<Deps, 'config'>>
  /** Mounts the app below this path of another Express app, after that app's own middleware. */
  mount?: { path: string; before?: express.RequestHandler }
  /** Shares another test app's database and cloud: a second instance of the same server. */
  beside?: TestApp
  cloud?: Partial<LocalCloudOptions>
}

export interface TestApp {
  /** Where the API answers, with the mount path. */
  url: string
  /** A bearer token; by default of subject `alice`, scope `uploads`, for ten minutes. */
  token(claims?: Partial<DevClaims>): string
  deps: Deps
  cloud: LocalCloud
  databaseUrl: string
  /** Every line logged so far, as text. */
  logLines: string[]
  /** Rejects also when a secret is in anything that was logged, counted, answered or stored: see secret-watch.ts. */
  close(): Promise<void>
}

export const TEST_JWT_SECRET = 'the-secret-of-all-tests-32-bytes-long'
const TEST_METRICS_TOKEN = 'the-metrics-token-of-all-tests-32-bytes'

/** The whole server over real HTTP on a free port, with a database of its own and the local cloud. */
export async function startTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { beside } = options
  const dataDir = await mkdtemp(join(tmpdir(), 'partway-app-'))
  const database = beside ? null : await createTestDatabase()
  const databaseUrl = beside?.databaseUrl ?? database?.databaseUrl ?? ''
  const planned = loadConfig({
    PARTWAY_DATA_DIR: dataDir,
    JWT_SECRET: TEST_JWT_SECRET,
    METRICS_TOKEN: TEST_METRICS_TOKEN,
    DATABASE_URL: databaseUrl,
    LOG_LEVEL: 'debug',
    ...options.environment,
  })
  const cloud =
    beside?.cloud ??
    (await startLocalCloud({ ...localCloudOptions(planned), ossPort: 0, stsPort: 0, ...options.cloud }))
  const located: Config = {
    ...planned,
    oss: { ...planned.oss, endpoint: cloud.ossUrl, publicEndpoint: cloud.ossUrl },
    sts: { ...planned.sts, endpoint: cloud.stsUrl },
  }
  const config = options.config ? options.config(located) : located
  protectSecretsOf(config)
  const logLines: string[] = []
  const log = createLogger({ level: config.logLevel, destination: linesInto(logLines) })
  const deps = createDeps(config, { log, ...options.deps })
  const app = createApp(deps, options)
  const handle = watchReplies(options.mount ? mounted(app, options.mount) : app)
  const server = await listen(handle, '127.0.0.1', 0)
  opened(deps)
  return {
    url: `http://127.0.0.1:${server.port}${options.mount?.path ?? ''}`,
    token: (claims = {}) => testToken(claims),
    deps,
    cloud,
    databaseUrl,
    logLines,
    async close() {
      await server.close(0)
      await closeDeps(deps)
      if (!beside) await cloud.close()
      await database?.close()
      await rm(dataDir, { recursive: true, force: true })
      watch('the log', logLines.join(''))
      watch('the metrics', (await deps.metrics.expose()).text)
      closed(deps)
      assertNoLeak()
    },
  }
}

/** A token that every test app accepts. */
export function testToken(claims: Partial<DevClaims> = {}): string {
  const defaults: DevClaims = { subject: 'alice', scopes: ['uploads'], ttlSeconds: 600 }
  return mintDevToken({ secret: TEST_JWT_SECRET }, { ...defaults, ...claims })
}

function protectSecretsOf({ jwt, oss, http, database, localCloud, webhook }: Config): void {
  if (jwt.key?.kind === 'secret') protect(jwt.key.secret)
  protect(oss.credentials?.accessKeySecret)
  protect(http.metricsToken)
  protectPassword(database.url)
  protect(webhook?.url)
  protect(webhook?.secret.replace('whsec_', ''))
  protect(localCloud?.rootAccessKeySecret, 'root-key')
}

function mounted(app: express.Express, { path, before }: NonNullable<TestAppOptions['mount']>): express.Express {
  const host = express()
  if (before) host.use(before)
  return host.use(path, app)
}

function linesInto(lines: string[]): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
}
