import { join } from 'node:path'
import { mintDevToken } from '../../../server/dev-token.ts'
import { DEFAULT_ROOT_KEY } from '../../../server/local-cloud/local-cloud.ts'
import { freePorts } from '../../support/free-ports.ts'
import { recommendedNodeOptions } from './node-options.ts'
import { type Service, startService } from './service.ts'
import { startPostgres, type Workplace } from './workplace.ts'

export const partwayCommand = join(import.meta.dirname, '../../../dist/server/cli/main.js')
const jwtSecret = 'the-secret-of-all-benchmarks-32-bytes'

export interface Partway extends Service {
  url: string
  /** A token of subject `bench`, for a day. */
  token: string
  databaseUrl: string
}

export interface PartwayOptions {
  /** By default a Postgres of its own. */
  databaseUrl?: string
  /** Its OSS; by default the local cloud, which the server starts. */
  ossUrl?: string
  env?: Record<string, string>
}

/** The built server, as `partway serve` runs it. Resolves when it is ready. */
export async function startPartway(place: Workplace, options: PartwayOptions = {}): Promise<Partway> {
  const databaseUrl = options.databaseUrl ?? (await startPostgres(place))
  const [port = 0, ossPort = 0, stsPort = 0] = await freePorts(3)
  const toOss = options.ossUrl
    ? {
        OSS_BUCKET: 'bench',
        OSS_ENDPOINT: options.ossUrl,
        ALIBABA_CLOUD_ACCESS_KEY_ID: 'bench',
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'bench',
      }
    : { LOCAL_OSS_PORT: String(ossPort), LOCAL_STS_PORT: String(stsPort) }
  const service = startService(partwayCommand, ['serve'], {
    PARTWAY_DATA_DIR: join(place.directory, `partway-${port}`),
    DATABASE_URL: databaseUrl,
    JWT_SECRET: jwtSecret,
    HOST: '127.0.0.1',
    NODE_OPTIONS: recommendedNodeOptions,
    PORT: String(port),
    // A server in production says a line per request.
    LOG_LEVEL: 'info',
    ...toOss,
    ...options.env,
  })
  place.keep(service)
  const url = `http://127.0.0.1:${port}`
  const ended = service.news().catch((error: Error) => error)
  await untilAnswering(`${url}/readyz`, ended)
  const token = mintDevToken({ secret: jwtSecret }, { subject: 'bench', scopes: ['uploads'], ttlSeconds: 86_400 })
  return { ...service, url, token, databaseUrl }
}

/** The key of the local cloud's owner, who may do everything. */
export const localOwner = { ...DEFAULT_ROOT_KEY, bucket: 'partway-local', region: 'cn-hangzhou' }

async function untilAnswering(url: string, ended: Promise<unknown>): Promise<void> {
  for (;;) {
    const reply = await Promise.race([fetch(url).catch(() => null), ended])
    if (reply instanceof Error) throw reply
    if (reply instanceof Response && reply.ok) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
