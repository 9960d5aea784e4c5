import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ClientOptions,
  createUploadClient,
  type NodeSource,
  type Ports,
  type UploadClient,
} from '@partway/client/node'
import OSS from 'ali-oss'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { ROOT_KEY, TEST_BUCKET, TEST_REGION } from '../support/local-cloud.ts'

export const MiB = 1_048_576

/** Gives up after seconds, not minutes: no test waits for an outage that does not end. */
export const testRetry = { baseMs: 20, capMs: 300, maxAttempts: 100, budgetMs: 15_000 }

export interface BenchClientOptions extends Partial<ClientOptions> {
  ports?: Partial<Ports<NodeSource>>
}

/** The real app and local cloud, clients of it, and a directory for files. */
export interface UploadBench {
  app: TestApp
  client: UploadClient<NodeSource>
  /** Another client: of another device, with other ports. */
  clientWith(options: BenchClientOptions): UploadClient<NodeSource>
  /** Carries the clients' calls to the server, and counts them. */
  fetch: typeof fetch
  /** What the clients asked the server since the last time: `POST /v1/uploads`, `PUT /v1/uploads/{id}/checkpoint`. */
  takeCalls(): string[]
  directory: string
  /** A file of `sizeBytes` unguessable bytes. */
  file(sizeBytes: number, name?: string): Promise<string>
  /** SHA-256 of the object's bytes, fetched from OSS by its owner. */
  objectSha256(key: string): Promise<string>
  /** How many parts OSS has been sent, whatever it answered. */
  partsSent(): number
  close(): Promise<void>
}

export async function startUploadBench(options: TestAppOptions = {}): Promise<UploadBench> {
  const app = await startTestApp(options)
  const owner = new OSS({
    accessKeyId: ROOT_KEY.accessKeyId,
    accessKeySecret: ROOT_KEY.accessKeySecret,
    bucket: TEST_BUCKET,
    region: `oss-${TEST_REGION}`,
    endpoint: app.cloud.ossUrl,
    sldEnable: true,
    authorizationV4: true,
  } as OSS.Options)
  const directory = await mkdtemp(join(tmpdir(), 'partway-sdk-'))
  let calls: string[] = []

  const countingFetch: typeof fetch = (input, init) => {
    const path = new URL(String(input)).pathname.replace(/upl_[0-9a-f]{32}/, '{id}')
    calls.push(`${init?.method ?? 'GET'} ${path}`)
    return fetch(input, init)
  }
  const clientWith = ({ ports, ...clientOptions }: BenchClientOptions) =>
    createUploadClient({
      baseUrl: app.url,
      token: () => app.token(),
      retry: testRetry,
      ...clientOptions,
      ports: { fetch: countingFetch, ...ports },
    })

  return {
    app,
    client: clientWith({}),
    clientWith,
    fetch: countingFetch,
    takeCalls() {
      const taken = calls
      calls = []
      return taken
    },
    directory,
    async file(sizeBytes, name = 'file.bin') {
      const path = join(directory, name)
      const handle = await open(path, 'w')
      for (let left = sizeBytes; left > 0; left -= MiB) await handle.write(randomBytes(Math.min(left, MiB)))
      await handle.close()
      return path
    },
    async objectSha256(key) {
      const { stream } = await owner.getStream(key)
      return sha256OfStream(stream)
    },
    partsSent: () => app.cloud.requests.count('UploadPart'),
    async close() {
      await app.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

export async function sha256OfFile(path: string): Promise<string> {
  return sha256OfStream(createReadStream(path))
}

async function sha256OfStream(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

/** Changes one byte of a file and puts its times back, so that size and times tell nothing. */
export async function changeByteUnseen(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+')
  const { atime, mtime } = await file.stat()
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, position)
  byte.writeUInt8(byte.readUInt8(0) ^ 0xff)
  await file.write(byte, 0, 1, position)
  await file.utimes(atime, mtime)
  await file.close()
}

/** Resolves when `isTrue` is; fails the test when that takes half a minute. */
export async function until(isTrue: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const endsAtMs = Date.now() + 30_000
  while (!(await isTrue())) {
    if (Date.now() > endsAtMs) throw new Error(`it never came true that ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
