import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'node:worker_threads'
import type { PartDigest } from '@partway/client/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rangeBody } from '../../client-sdk/byte-source.ts'
import { crc64 } from '../../client-sdk/contract/crc64.ts'
import type { openFileSource as openFromSource } from '../../client-sdk/node/file-source.ts'
import type { createNodeHashing as createHashingFromSource } from '../../client-sdk/node/node-hashing.ts'
import { createThreadHashing as createThreadFromSource } from '../../client-sdk/node/thread-hashing.ts'
import { MiB, until } from './upload-bench.ts'

/* The thread runs a script of the build; `npm test` builds first. */
const built = (file: string) => new URL(`../../client-sdk/dist/node/${file}`, import.meta.url).href
const { createThreadHashing } = (await import(built('thread-hashing.js'))) as {
  createThreadHashing: typeof createThreadFromSource
}
const { openFileSource } = (await import(built('file-source.js'))) as { openFileSource: typeof openFromSource }
const { createNodeHashing } = (await import(built('node-hashing.js'))) as {
  createNodeHashing: typeof createHashingFromSource
}

const bytes = randomBytes(24 * MiB + 4321)
let directory: string
let path: string
let file: FileHandle
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'partway-hash-thread-'))
  path = join(directory, 'file.bin')
  file = await open(path, 'w+')
  await file.writeFile(bytes)
})
afterAll(async () => {
  await file.close()
  await rm(directory, { recursive: true, force: true })
})

const range = (start: number, end: number, fd = file.fd) => ({
  start,
  end,
  lend: <Result>(use: (fd: number) => Promise<Result>) => use(fd),
})

/** One whose thread is ready, and that thread. */
async function warm() {
  const started = once(process, 'worker') as Promise<[Worker]>
  const hashing = createThreadHashing()
  await until(async () => (await hashing.digest(range(0, MiB))) !== undefined, 'the thread was ready')
  const [worker] = await started
  return { hashing, worker }
}

/** The client's hashing, whose thread is ready and belongs to all of this process. */
async function warmNodeHashing() {
  nodeHashing ??= (async () => {
    const hashing = createNodeHashing()
    const source = await openFileSource(path)
    const started = once(process, 'worker') as Promise<[Worker]>
    for (let index = 0; index < 2; index++) await hashing.digest(rangeBody(source, 0, MiB))
    const [worker] = await started
    await once(worker, 'message')
    await source.close()
    return hashing
  })()
  return nodeHashing
}
let nodeHashing: Promise<ReturnType<typeof createHashingFromSource>> | undefined

function digestHere(start: number, end: number, ofBytes = bytes): PartDigest {
  const part = ofBytes.subarray(start, end)
  return { md5: createHash('md5').update(part).digest('base64'), crc64: crc64(part) }
}

// On one processor there is no thread.
describe.skipIf(availableParallelism() === 1).sequential('on the thread', () => {
  it('ranges of a file are hashed as they are here, whatever their size and place', async () => {
    const { hashing } = await warm()
    for (const [start, end] of [
      [0, MiB],
      [1, 5 * MiB + 7],
      [8 * MiB, bytes.byteLength],
    ] as const) {
      expect(await hashing.digest(range(start, end))).toEqual(digestHere(start, end))
    }
  })

  it('what is small, comes while the thread is busy, or cannot be read is left to the caller, and the thread goes on', async () => {
    const { hashing } = await warm()
    expect(await hashing.digest(range(0, MiB - 1))).toBeUndefined()
    const both = await Promise.all([hashing.digest(range(0, 8 * MiB)), hashing.digest(range(8 * MiB, 16 * MiB))])
    expect(both).toEqual([digestHere(0, 8 * MiB), undefined])
    expect(await hashing.digest(range(20 * MiB, 30 * MiB))).toBeUndefined()
    expect(await hashing.digest(range(0, MiB, 999_999))).toBeUndefined()
    expect(await hashing.digest(range(0, MiB))).toEqual(digestHere(0, MiB))
  })

  it('a cancelled one throws the reason, one cancelled before is not begun, and the next one is right', async () => {
    const { hashing } = await warm()
    const controller = new AbortController()
    const reason = new Error('paused')
    const hashed = hashing.digest(range(0, bytes.byteLength), controller.signal)
    controller.abort(reason)
    await expect(hashed).rejects.toBe(reason)
    const never = { ...range(0, MiB), lend: () => Promise.reject(new Error('it was begun')) }
    await expect(hashing.digest(never, controller.signal)).rejects.toBe(reason)
    expect(await hashing.digest(range(MiB, 2 * MiB))).toEqual(digestHere(MiB, 2 * MiB))
  })

  it('a thread that is lost leaves what it had to the caller, and another one is started', async () => {
    const { hashing, worker } = await warm()
    const hashed = hashing.digest(range(0, bytes.byteLength))
    await worker.terminate()
    expect(await hashed).toBeUndefined()
    await until(async () => (await hashing.digest(range(0, MiB))) !== undefined, 'another thread was ready')
    expect(await hashing.digest(range(0, MiB))).toEqual(digestHere(0, MiB))
  })

  it('closing a file waits until the thread is done with it', async () => {
    const hashing = await warmNodeHashing()
    const source = await openFileSource(path)
    const ends: string[] = []
    const hashed = hashing.digest(rangeBody(source, 0, 16 * MiB)).finally(() => ends.push('hashed'))
    await source.close().then(() => ends.push('closed'))
    expect(await hashed).toEqual(digestHere(0, 16 * MiB))
    expect(ends).toEqual(['hashed', 'closed'])
    await expect(hashing.digest(rangeBody(source, 0, 2 * MiB))).rejects.toMatchObject({ code: 'source-unreadable' })
  })

  it('a source that gives other bytes than its file is hashed by those', async () => {
    const hashing = await warmNodeHashing()
    const plain = await openFileSource(path)
    const inverted = {
      ...plain,
      async *stream(start: number, end: number) {
        for await (const piece of plain.stream(start, end)) yield piece.map((byte) => ~byte)
      },
    }
    const other = Buffer.from(bytes.map((byte) => ~byte))
    expect(await hashing.digest(rangeBody(inverted, 0, 2 * MiB))).toEqual(digestHere(0, 2 * MiB, other))
    await plain.close()
  })

  it('a process waits for a digest, and then ends by itself', async () => {
    const script = `
      import { openFileSource } from ${JSON.stringify(built('file-source.js'))}
      import { createNodeHashing } from ${JSON.stringify(built('node-hashing.js'))}
      const source = await openFileSource(process.argv[1])
      const hashing = createNodeHashing()
      const body = { stream: () => source.stream(0, source.sizeBytes) }
      const alive = setInterval(() => {}, 1000)
      process.once('worker', (worker) => worker.once('message', () => {
        clearInterval(alive)
        hashing.digest(body).then(({ md5 }) => process.stdout.write(md5))
      }))
      await hashing.digest(body)
      await hashing.digest(body)
    `
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script, path], { stdio: 'pipe' })
    let printed = ''
    child.stdout.on('data', (chunk) => {
      printed += chunk
    })
    const [code] = await once(child, 'close')
    expect({ code, printed }).toEqual({ code: 0, printed: digestHere(0, bytes.byteLength).md5 })
  })
})

it.skipIf(availableParallelism() === 1)(
  'where its script is missing, as in a bundle, everything is left to the caller and no thread is tried again',
  async () => {
    const workers: Worker[] = []
    const count = (worker: Worker) => workers.push(worker)
    process.on('worker', count)
    try {
      const hashing = createThreadFromSource()
      const started = once(process, 'worker') as Promise<[Worker]>
      for (let index = 0; index < 2; index++) expect(await hashing.digest(range(0, MiB))).toBeUndefined()
      const [worker] = await started
      await new Promise((resolve) => worker.once('exit', resolve))
      expect(await hashing.digest(range(0, MiB))).toBeUndefined()
      await new Promise((resolve) => setImmediate(resolve))
      expect(workers).toEqual([worker])
    } finally {
      process.off('worker', count)
    }
  },
)
