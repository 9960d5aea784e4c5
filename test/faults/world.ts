import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { mintDevToken } from '../../server/dev-token.ts'
import type { FaultRule } from '../../server/local-cloud/faults.ts'
import { localServerUser } from '../../server/local-identities.ts'
import { presignV4 } from '../../server/oss/sign-v4.ts'
import { type Child, partwayCommand, startChild, waitUntilAnswering } from '../support/child.ts'
import { createTestDatabase } from '../support/database.ts'
import { freePorts } from '../support/free-ports.ts'
import { ROOT_KEY, TEST_BUCKET, TEST_REGION } from '../support/local-cloud.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const jwtSecret = 'the-secret-of-the-fault-tests-32-bytes'
const crashingServer = fileURLToPath(new URL('crashing-server.mjs', import.meta.url))

/**
 * Everything a real installation has, as processes that can be killed: a local cloud, servers on one database configured as for a real
 * bucket, and between them and the client one proxy as balancer and one as the line to OSS, which counts what is sent.
 */
export interface World {
  directory: string
  db: pg.Pool
  cloud: Service
  /** The line from clients to OSS. */
  ossLine: TcpProxy
  /** A server; with a crash point, one that kills itself there. Not started yet. */
  server(crashPoint?: string, variables?: Record<string, string>): Promise<Service>
  /** A balancer over some servers' ports: to the first that lives, or with `isInTurn` to each in its turn. */
  balance(servers: readonly Service[], isInTurn?: boolean): Promise<TcpProxy>
  /** `partway ARGS` against a balancer, as `subject`. */
  client(balancer: TcpProxy, args: readonly string[], subject: string): Child
  token(subject: string): string
  /** A GET signed with the root key. */
  getObject(key: string): Promise<Response>
  /** How often the local cloud was asked for an operation since it started. */
  ossRequests(operation: string): Promise<number>
  /** The same by operation and status of the answer: `AbortMultipartUpload 204`. */
  ossAnswers(): Promise<Record<string, number>>
  /** Switches a fault of the local cloud on. */
  addFault(rule: FaultRule): Promise<void>
  /** Unfinished multipart uploads in the whole bucket. */
  openMultipartUploads(): Promise<string[]>
  close(): Promise<void>
}

/** A process that comes back under the same address. */
export interface Service {
  port: number
  start(): Promise<void>
  kill(): Promise<void>
  /** Resolves when the present process has ended. */
  ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  output(): string
}

export async function createWorld({ bytesPerSecond }: { bytesPerSecond?: number } = {}): Promise<World> {
  const directory = await mkdtemp(join(tmpdir(), 'partway-faults-'))
  const database = await createTestDatabase()
  const db = new pg.Pool({ connectionString: database.databaseUrl, max: 2 })
  const [ossPort = 0, stsPort = 0, controlPort = 0] = await freePorts(3)
  const services: Service[] = []
  const proxies: TcpProxy[] = []

  const service = (port: number, healthUrl: string, args: readonly string[], env: Record<string, string>): Service => {
    let child: Child | null = null
    const made: Service = {
      port,
      async start() {
        child = startChild(args, env)
        await waitUntilAnswering(healthUrl, child)
      },
      async kill() {
        await child?.kill()
      },
      ended: async () => (await child?.ended) ?? { code: null, signal: null },
      output: () => `${child?.stdout()}${child?.stderr()}`,
    }
    services.push(made)
    return made
  }

  const ossUrl = `http://127.0.0.1:${ossPort}`
  const cloud = service(
    ossPort,
    signed('GET', ossUrl, '', { 'max-keys': '1' }),
    [partwayCommand, 'local-cloud', '--control-port', String(controlPort)],
    {
      PARTWAY_DATA_DIR: join(directory, 'data'),
      LOCAL_OSS_PORT: String(ossPort),
      LOCAL_STS_PORT: String(stsPort),
    },
  )
  await cloud.start()
  const ossLine = await startTcpProxy([ossPort], bytesPerSecond)
  proxies.push(ossLine)
  const token = (subject: string) =>
    mintDevToken({ secret: jwtSecret }, { subject, scopes: ['uploads'], ttlSeconds: 86_400 })

  return {
    directory,
    db,
    cloud,
    ossLine,
    token,
    async server(crashPoint, variables = {}) {
      const [port = 0] = await freePorts(1)
      const args = crashPoint ? [crashingServer, crashPoint] : [partwayCommand, 'serve']
      return service(port, `http://127.0.0.1:${port}/healthz`, args, {
        PORT: String(port),
        HOST: '127.0.0.1',
        DATABASE_URL: database.databaseUrl,
        JWT_SECRET: jwtSecret,
        OSS_BUCKET: TEST_BUCKET,
        OSS_REGION: TEST_REGION,
        OSS_ENDPOINT: ossUrl,
        OSS_PUBLIC_ENDPOINT: `http://127.0.0.1:${ossLine.port}`,
        ALIBABA_CLOUD_ACCESS_KEY_ID: localServerUser.accessKeyId,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET: localServerUser.accessKeySecret,
        LOG_LEVEL: 'warn',
        ...variables,
      })
    },
    async balance(servers, isInTurn = false) {
      const ports = servers.map((server) => server.port)
      const balancer = await startTcpProxy(ports, Number.POSITIVE_INFINITY, isInTurn)
      proxies.push(balancer)
      return balancer
    },
    client: (balancer, args, subject) =>
      startChild([partwayCommand, ...args], {
        PARTWAY_URL: `http://127.0.0.1:${balancer.port}`,
        PARTWAY_TOKEN: token(subject),
      }),
    getObject: (key) => fetch(signed('GET', ossUrl, key)),
    async ossRequests(operation) {
      const reply = await fetch(`http://127.0.0.1:${controlPort}/requests`)
      const counts = (await reply.json()) as Record<string, number>
      return counts[operation] ?? 0
    },
    async ossAnswers() {
      const reply = await fetch(`http://127.0.0.1:${controlPort}/answers`)
      return (await reply.json()) as Record<string, number>
    },
    async addFault(rule) {
      const reply = await fetch(`http://127.0.0.1:${controlPort}/faults`, {
        method: 'POST',
        body: JSON.stringify(rule),
      })
      if (!reply.ok) throw new Error(await reply.text())
    },
    async openMultipartUploads() {
      const reply = await fetch(signed('GET', ossUrl, '', { uploads: null, 'max-uploads': '1000' }))
      return [...(await reply.text()).matchAll(/<UploadId>([^<]+)</g)].map((match) => match[1] ?? '')
    },
    async close() {
      await Promise.all(services.map((one) => one.kill()))
      await Promise.all(proxies.map((proxy) => proxy.close()))
      await db.end()
      await database.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function signed(method: string, ossUrl: string, key: string, query: Record<string, string | null> = {}): string {
  return presignV4({
    method,
    baseUrl: ossUrl,
    addressing: 'path',
    bucket: TEST_BUCKET,
    key,
    region: TEST_REGION,
    credentials: ROOT_KEY,
    now: new Date(),
    expiresSeconds: 86_400,
    query,
  })
}

/** Writes a file of random bytes and returns its SHA-256. */
export async function writeRandomFile(path: string, sizeBytes: number): Promise<string> {
  const hash = createHash('sha256')
  const out = createWriteStream(path)
  for (let left = sizeBytes; left > 0; ) {
    const chunk = randomBytes(Math.min(left, 1_048_576))
    hash.update(chunk)
    if (!out.write(chunk)) await once(out, 'drain')
    left -= chunk.length
  }
  await finished(out.end())
  return hash.digest('hex')
}

export async function sha256OfObject(world: World, key: string): Promise<string> {
  const reply = await world.getObject(key)
  if (reply.status !== 200 || !reply.body) throw new Error(`GetObject: ${reply.status}`)
  const hash = createHash('sha256')
  for await (const chunk of reply.body) hash.update(chunk)
  return hash.digest('hex')
}

/** Waits until no row is on its way any more. Leases are 30 s, and the loop that looks for them runs every 30 s. */
export async function untilQuiet(world: World): Promise<void> {
  const endsAt = Date.now() + 120_000
  for (;;) {
    const { rows } = await world.db.query(
      `SELECT id, state, due_at FROM uploads WHERE state IN ('pending', 'completing', 'aborting')`,
    )
    if (rows.length === 0) return
    if (Date.now() > endsAt) throw new Error(`rows are stuck: ${JSON.stringify(rows)}`)
    await delay(500)
  }
}
