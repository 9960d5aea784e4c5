import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, mkdtemp, open, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  bytesBody,
  createDirectoryRecordStore,
  createHttpTransport,
  createUploadClient,
  openFileSource,
  TransportException,
} from '@partway/client/node'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'partway-ports-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

describe('records in a directory', () => {
  it('come back, are replaced, are deleted; the directory is made when it is first needed', async () => {
    const path = join(directory, 'deep', 'down')
    const store = createDirectoryRecordStore(path)
    expect(await store.load('key')).toBeUndefined()
    await store.delete('key')
    await store.save('key', 'one')
    await store.save('key', 'two')
    expect(await store.load('key')).toBe('two')
    expect(await createDirectoryRecordStore(path).load('key')).toBe('two')
    await store.delete('key')
    expect(await store.load('key')).toBeUndefined()
    expect(await readdir(path)).toEqual([])
  })

  it('stay in the directory whatever the key is', async () => {
    const path = join(directory, 'keys')
    const store = createDirectoryRecordStore(path)
    const keys = ['../../etc/passwd', 'a/b\\c', 'x'.repeat(10_000), '目录\u0000', '', 'CON', '.']
    for (const key of keys) await store.save(key, key)
    for (const key of keys) expect(await store.load(key)).toBe(key)
    const names = await readdir(path)
    expect(names).toHaveLength(keys.length)
    for (const name of names) expect(name).toMatch(/^partway-[0-9a-f]{32}\.json$/)
  })

  it('are whole at every moment, with many writers on one key', async () => {
    const path = join(directory, 'writers')
    const texts = Array.from({ length: 8 }, (_, index) => String(index).repeat(4000))
    const stores = texts.map(() => createDirectoryRecordStore(path))
    let isWriting = true
    const reading = (async () => {
      const reader = createDirectoryRecordStore(path)
      while (isWriting) {
        const text = await reader.load('key')
        if (text !== undefined) expect(texts).toContain(text)
      }
    })()
    for (let round = 0; round < 10; round++) {
      await Promise.all(stores.map((store, index) => store.save('key', texts[index] ?? '')))
    }
    isWriting = false
    await reading
    expect(await readdir(path)).toHaveLength(1)
  })

  it('that are endless, or no files, are not read', async () => {
    const path = join(directory, 'odd')
    const store = createDirectoryRecordStore(path)
    await store.save('big', '')
    const [name = ''] = await readdir(path)
    await writeFile(join(path, name), 'x'.repeat(100_000))
    expect(await store.load('big')).toBeUndefined()
    await rm(join(path, name))
    execFileSync('mkfifo', [join(path, name)])
    expect(await store.load('big')).toBeUndefined()
    await rm(join(path, name))
    await mkdir(join(path, name))
    expect(await store.load('big')).toBeUndefined()
  })

  it('of a month ago are swept, and nothing else in the directory is touched', async () => {
    const path = join(directory, 'old')
    const first = createDirectoryRecordStore(path)
    await first.save('old', 'x')
    await writeFile(join(path, 'mine.json'), 'x')
    const longAgo = new Date(Date.now() - 40 * 86_400_000)
    for (const name of await readdir(path)) await utimes(join(path, name), longAgo, longAgo)
    await createDirectoryRecordStore(path).save('new', 'y')
    expect(await first.load('old')).toBeUndefined()
    expect(await first.load('new')).toBe('y')
    expect(await readdir(path)).toContain('mine.json')
  })
})

describe('a file as a source', () => {
  it('gives any range, whole or in pieces', async () => {
    const path = join(directory, 'ranges.bin')
    const bytes = randomBytes(1_300_000)
    await writeFile(path, bytes)
    const source = await openFileSource(path)
    try {
      for (const [start, end] of [
        [0, 0],
        [0, 1],
        [5, 524_293],
        [0, 1_300_000],
        [524_288, 1_048_576],
        [1_299_999, 1_300_000],
      ] as const) {
        expect(Buffer.compare(await source.read(start, end), bytes.subarray(start, end))).toBe(0)
        const pieces: Buffer[] = []
        for await (const piece of source.stream(start, end)) {
          // A piece stays what it is until the next is asked for, though that one is being read already.
          await new Promise((resolve) => setTimeout(resolve, 3))
          pieces.push(Buffer.from(piece))
        }
        expect(Buffer.compare(Buffer.concat(pieces), bytes.subarray(start, end))).toBe(0)
      }
      const into = new Uint8Array(100)
      const read = await source.read(10, 20, into)
      expect(read.buffer).toBe(into.buffer)
      expect(read).toHaveLength(10)
    } finally {
      await source.close()
    }
  })

  it('over 4 GiB keeps its size and its far end', async () => {
    const path = join(directory, 'sparse.bin')
    const file = await open(path, 'w')
    await file.truncate(5_000_000_000)
    await file.write(Buffer.from('the end'), 0, 7, 4_999_999_993)
    await file.close()
    const source = await openFileSource(path)
    expect(source.sizeBytes).toBe(5_000_000_000)
    expect(Buffer.from(await source.read(4_999_999_993, 5_000_000_000)).toString()).toBe('the end')
    await source.close()
  })

  it('notices every change that can be noticed without reading', async () => {
    const path = join(directory, 'moving.bin')
    const changes: [string, () => Promise<unknown>][] = [
      ['was modified', () => utimes(path, new Date(), new Date(1_700_000_000_000))],
      ['has another size', () => writeFile(path, 'longer than before')],
      ['is gone', () => rm(path)],
      [
        'was replaced',
        async () => {
          await writeFile(`${path}.new`, 'abc')
          await rename(`${path}.new`, path)
        },
      ],
    ]
    for (const [what, change] of changes) {
      await writeFile(path, 'abc')
      const source = await openFileSource(path)
      await expect(source.checkUnchanged()).resolves.toBeUndefined()
      await change()
      await expect(source.checkUnchanged()).rejects.toThrow(what)
      await source.close()
      await rm(path, { force: true })
    }
  })

  it('tells a reader who goes past the end that the source has changed', async () => {
    const path = join(directory, 'short.bin')
    await writeFile(path, 'abc')
    const source = await openFileSource(path)
    await expect(source.read(0, 4)).rejects.toMatchObject({ code: 'source-changed' })
    await expect(source.stream(0, 4)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'source-changed' })
    await source.close()
  })

  it('says why it cannot be opened', async () => {
    await expect(openFileSource(join(directory, 'nothing'))).rejects.toThrow('does not exist')
    await expect(openFileSource(directory)).rejects.toThrow('is a directory')
    await expect(openFileSource('/dev/null')).rejects.toThrow('not a regular file')
    if (process.getuid?.() === 0) return
    const path = join(directory, 'locked.bin')
    await writeFile(path, 'x')
    await chmod(path, 0)
    await expect(openFileSource(path)).rejects.toThrow('may not be read')
  })
})

describe('parts over HTTP', () => {
  type Handler = (request: IncomingMessage, response: ServerResponse) => void
  async function serve(handler: Handler) {
    let connections = 0
    const server = createServer(handler).on('connection', () => {
      connections += 1
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/key?secret=1`
    const close = async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
    return { url, close, connections: () => connections }
  }
  const part = (url: string, bytes: Uint8Array) => ({
    method: 'PUT',
    url,
    headers: { 'Content-MD5': 'abc==' },
    body: bytesBody(bytes),
    signal: new AbortController().signal,
    onProgress: () => {},
  })

  it('carry exactly the granted headers, an exact length and no media type, on a connection that is kept', async () => {
    const seen: IncomingHttpHeaders[] = []
    const server = await serve((request, response) => {
      let bytes = 0
      request.on('data', (chunk: Buffer) => {
        bytes += chunk.length
      })
      request.on('end', () => {
        seen.push({ ...request.headers, bytes: String(bytes) })
        response.writeHead(200, { etag: '"E"' }).end()
      })
    })
    const transport = createHttpTransport()
    const progress: number[] = []
    for (let index = 0; index < 5; index++) {
      const reply = await transport.send({
        ...part(server.url, new Uint8Array(1_500_000)),
        onProgress: (sent) => progress.push(sent),
      })
      expect(reply.status).toBe(200)
      expect(reply.header('etag')).toBe('"E"')
      expect(reply.header('x-none')).toBeNull()
    }
    expect(Object.keys(seen[0] ?? {}).sort()).toEqual(['bytes', 'connection', 'content-length', 'content-md5', 'host'])
    expect(seen[0]).toMatchObject({ 'content-length': '1500000', bytes: '1500000' })
    expect(server.connections()).toBe(1)
    expect(Math.max(...progress)).toBe(1_500_000)
    transport.close?.()
    await server.close()
  })

  it.each([
    // Each write takes as long as the next look at the clock is later than the last; the first MiB is taken at once, as by a buffer.
    { line: 'quick', msPerWrite: 5, largestStep: 262_144 },
    { line: 'slow', msPerWrite: 1000, largestStep: 65_536 },
  ])('tell a $line line’s progress in steps of at most $largestStep bytes', async ({ msPerWrite, largestStep }) => {
    const server = await serve((request, response) => {
      request.on('end', () => response.end()).resume()
    })
    let now = 0
    const progress = [0]
    onTestFinished(() => void vi.restoreAllMocks())
    vi.spyOn(performance, 'now').mockImplementation(() => {
      if (progress.length > 16) now += msPerWrite
      return now
    })
    const transport = createHttpTransport()
    await transport.send({
      ...part(server.url, new Uint8Array(3_000_000)),
      onProgress: (sent) => progress.push(sent),
    })
    const steps = progress.slice(1).map((sent, index) => sent - (progress[index] ?? 0))
    expect(steps[0]).toBe(65_536)
    expect(Math.max(...steps)).toBe(largestStep)
    expect(progress.at(-1)).toBe(3_000_000)
    transport.close?.()
    await server.close()
  })

  it('hear an answer that comes before the body has ended', async () => {
    const server = await serve((_, response) => {
      response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>')
    })
    const transport = createHttpTransport()
    const reply = await transport.send(part(server.url, new Uint8Array(30_000_000)))
    expect(reply).toMatchObject({ status: 403, text: '<Error><Code>AccessDenied</Code></Error>' })
    transport.close?.()
    await server.close()
  })

  it('stop at once when they are told to, with the reason they are given', async () => {
    const server = await serve((request) => void request.pause())
    const transport = createHttpTransport()
    const controller = new AbortController()
    const reason = new Error('paused')
    const sending = transport.send({ ...part(server.url, new Uint8Array(50_000_000)), signal: controller.signal })
    setTimeout(() => controller.abort(reason), 50)
    await expect(sending).rejects.toBe(reason)
    await expect(transport.send({ ...part(server.url, new Uint8Array(1)), signal: controller.signal })).rejects.toBe(
      reason,
    )
    await server.close()
  })

  it('end in an exception without the URL when no answer comes, or half of one', async () => {
    const cut = await serve((request) => void request.socket.destroy())
    const half = await serve((request, response) => {
      request.resume()
      response.writeHead(200, { 'content-length': '100' }).write('half')
      setTimeout(() => request.socket.destroy(), 20)
    })
    const transport = createHttpTransport()
    for (const server of [cut, half]) {
      const error = await transport.send(part(server.url, new Uint8Array(2_000_000))).catch((thrown) => thrown)
      expect(error).toBeInstanceOf(TransportException)
      expect(error.message).not.toContain('secret')
      await server.close()
    }
    await expect(transport.send(part(cut.url, new Uint8Array(1)))).rejects.toThrow('ECONNREFUSED')
  })

  it('pass on what goes wrong while the body is read', async () => {
    const server = await serve((request) => void request.resume())
    const transport = createHttpTransport()
    const broken = new Error('unreadable')
    const body = {
      sizeBytes: 10,
      async *stream() {
        yield new Uint8Array(5)
        throw broken
      },
    }
    await expect(transport.send({ ...part(server.url, new Uint8Array(0)), body })).rejects.toBe(broken)
    await server.close()
  })

  it('keep no more than the beginning of a long answer', async () => {
    const server = await serve((request, response) => {
      request.resume()
      response.writeHead(500).end('x'.repeat(3_000_000))
    })
    const transport = createHttpTransport()
    const reply = await transport.send(part(server.url, new Uint8Array(1)))
    expect(reply.text).toHaveLength(65_536)
    transport.close?.()
    await server.close()
  })
})

it('the package says which file each of its entries is', async () => {
  const json = JSON.parse(await readFile(join(import.meta.dirname, '../../client-sdk/package.json'), 'utf8'))
  expect(Object.keys(json.exports)).toEqual(expect.arrayContaining(['.', './node', './contract']))
  expect(json.sideEffects).toBe(false)
})

it('a source that is none, or gives something else than bytes, ends at once', async () => {
  const fetchNever = () => Promise.reject(new Error('nothing is asked of the server'))
  const client = createUploadClient({ baseUrl: 'http://x', token: () => 't', ports: { fetch: fetchNever } })
  for (const source of [undefined, null, '', 5, {}]) {
    await expect(client.upload(source as never).done).rejects.toMatchObject({ code: 'invalid-argument' })
  }
  for (const bytes of [undefined, 'text', [1, 2]]) {
    const reader = { sizeBytes: 2, read: () => bytes as never }
    await expect(client.upload(reader).done).rejects.toMatchObject({ code: 'source-unreadable' })
  }
})
