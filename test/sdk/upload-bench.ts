import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createUploadClient, type NodeSource, type UploadClient } from '@partway/client/node'
import OSS from 'ali-oss'
import { startTestApp, type TestApp, type TestAppOptions } from '../support/app.ts'
import { ROOT_KEY, TEST_BUCKET, TEST_REGION } from '../support/local-cloud.ts'

export const MiB = 1_048_576

/** The real app and local cloud, a client of it, and a directory for files. */
export interface UploadBench {
  app: TestApp
  client: UploadClient<NodeSource>
  directory: string
  /** A file of `sizeBytes` unguessable bytes. */
  file(sizeBytes: number, name?: string): Promise<string>
  /** SHA-256 of the object's bytes, fetched from OSS by its owner. */
  objectSha256(key: string): Promise<string>
  close(): Promise<void>
}

/** Gives up after seconds, not minutes: no test waits for an outage that does not end. */
export const testRetry = { baseMs: 20, capMs: 200, maxAttempts: 60, budgetMs: 10_000 }

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
  return {
    app,
    client: createUploadClient({ baseUrl: app.url, token: () => app.token(), retry: testRetry }),
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
