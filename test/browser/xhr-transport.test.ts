import { createHash, randomBytes } from 'node:crypto'
import { appendFile, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PartReply } from '@partway/client'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { type SdkPage, startSdkPage } from '../support/sdk-page.ts'

interface Outcome {
  reply?: { status: number; text: string; headers: Record<string, string | null> }
  error?: { name: string; isOpaque: boolean | undefined; code: string | undefined; message: string }
  progress: number[]
}

describeInBrowser('parts over XMLHttpRequest', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let page: Page
  let directory: string
  /** Stands for OSS, and does as each test says. */
  let server: Server
  let url: string
  let onPut: (request: IncomingMessage, response: ServerResponse) => void
  let noise: string[]
  beforeAll(async () => {
    browser = await launchChromium()
    sdkPage = await startSdkPage()
    directory = await mkdtemp(join(tmpdir(), 'partway-xhr-'))
    server = createServer((request, response) => {
      if (request.method !== 'OPTIONS') return onPut(request, response)
      const may = { 'access-control-allow-methods': 'PUT', 'access-control-allow-headers': '*' }
      response.writeHead(200, { ...allow, ...may }).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/part?x-oss-signature=secret`
  })
  beforeEach(async () => {
    page = await sdkPage.open(browser)
    noise = []
    page.on('console', (message) => noise.push(message.text()))
  })
  afterEach(() => page.close())
  afterAll(async () => {
    await browser.close()
    await sdkPage.close()
    server.closeAllConnections()
    server.close()
    await rm(directory, { recursive: true, force: true })
  })

  async function choose(bytes: Uint8Array): Promise<string> {
    const path = join(directory, 'file.txt')
    await writeFile(path, bytes)
    await page.setInputFiles('#files', path)
    await page.evaluate(async () => {
      const [file] = document.querySelector<HTMLInputElement>('#files')?.files ?? []
      window.source = await window.partway.openBlobSource(file as File)
    })
    return path
  }
  const send = (abortAfterBytes?: number) => page.evaluate(sendPart, { url, abortAfterBytes })

  test('are sent as they are, with exactly the headers they were given', async () => {
    const bytes = randomBytes(3_000_001)
    await choose(bytes)
    const seen: IncomingMessage[] = []
    let md5 = ''
    onPut = async (request, response) => {
      seen.push(request)
      md5 = await md5Of(request)
      response.writeHead(200, { ...allow, etag: '"x"', 'x-hidden': 'y', 'access-control-expose-headers': 'ETag' }).end()
    }
    const { reply, progress } = await send()
    expect(reply).toEqual({ status: 200, text: '', headers: { etag: '"x"', 'x-hidden': null } })
    expect(md5).toBe(createHash('md5').update(bytes).digest('base64'))
    expect(seen[0]?.headers).toMatchObject({ 'content-md5': 'abc', 'content-length': '3000001' })
    expect(seen[0]?.headers).not.toHaveProperty('content-type')
    expect(seen[0]?.headers).not.toHaveProperty('cookie')
    expect(progress.at(-1)).toBe(3_000_001)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    // Headers that are hidden were not asked for by name.
    expect(noise).toEqual([])
  })

  test('show how far they are before they are answered', async () => {
    await choose(randomBytes(24_000_000))
    const seen: number[] = []
    onPut = async (request, response) => {
      for await (const chunk of request) {
        seen.push(chunk.length)
        // A slow line: the browser must wait for us.
        if (seen.length % 40 === 0) await new Promise((resolve) => setTimeout(resolve, 100))
      }
      response.writeHead(200, allow).end()
    }
    const { progress } = await send()
    expect(progress.length).toBeGreaterThan(1)
    expect(progress[0]).toBeLessThan(24_000_000)
  })

  test('that are refused bring the reason along, up to 64 KiB', async () => {
    await choose(randomBytes(10))
    onPut = (request, response) => {
      request.resume().on('end', () => response.writeHead(403, allow).end('<Error><Code>AccessDenied</Code></Error>'))
    }
    expect((await send()).reply).toMatchObject({ status: 403, text: '<Error><Code>AccessDenied</Code></Error>' })

    let written = 0
    onPut = (request, response) => {
      response.writeHead(500, allow)
      const more = () => {
        // For ever, as far as the client lets it.
        while (written < 2e9 && !response.destroyed && response.write('x'.repeat(65_536))) written += 65_536
      }
      request.resume()
      response.on('drain', more)
      more()
    }
    const { reply } = await send()
    expect(reply?.status).toBe(500)
    expect(reply?.text).toBe('x'.repeat(65_536))
    expect(written).toBeLessThan(100e6)
  })

  test('that get no answer fail in a way that says what is hidden, and never with the URL', async () => {
    await choose(randomBytes(10))
    const cases: [string, typeof onPut, isOpaque: boolean][] = [
      ['cut', (request) => request.socket.destroy(), true],
      [
        'without CORS headers',
        (request, response) => void request.resume().on('end', () => response.writeHead(403).end()),
        true,
      ],
      [
        'cut in the middle of the answer',
        (request, response) => {
          response.writeHead(403, { ...allow, 'content-length': 100, 'content-type': 'application/xml' })
          request.resume().on('end', () => response.write('<Err', () => setTimeout(() => response.destroy(), 100)))
        },
        false,
      ],
    ]
    for (const [what, answer, isOpaque] of cases) {
      onPut = answer
      const { error } = await send()
      expect(error, what).toMatchObject({ name: 'TransportException', isOpaque })
      expect(error?.message).not.toMatch(/secret|127\.0/)
    }
  })

  test('stop when they are told to, with the reason they were given', async () => {
    await choose(randomBytes(30_000_000))
    const ended = new Promise<boolean>((resolve) => {
      onPut = (request) => {
        request.on('data', () => request.pause())
        request.on('close', () => resolve(request.complete))
        setInterval(() => request.resume(), 20).unref()
      }
    })
    const { error } = await send(1)
    expect(error).toMatchObject({ message: 'enough' })
    expect(await ended).toBe(false)
  })

  test('say when it was the file that could not be read', async () => {
    onPut = (request, response) => void request.resume().on('end', () => response.writeHead(200, allow).end())
    const path = await choose(randomBytes(1_000_000))
    await appendFile(path, 'more')
    expect((await send()).error).toMatchObject({ code: 'source-changed' })
    await choose(randomBytes(1_000_000))
    await rm(path)
    expect((await send()).error).toMatchObject({ code: 'source-unreadable' })
  })

  test('that were refused say so when the file has changed meanwhile', async () => {
    const path = await choose(randomBytes(1_000_000))
    onPut = async (request, response) => {
      await md5Of(request)
      await truncate(path, 100)
      response.writeHead(403, allow).end('SignatureDoesNotMatch')
    }
    expect((await send()).error).toMatchObject({ code: 'source-changed' })
  })

  test('may come from sources that have no Blob to give', async () => {
    let md5 = ''
    onPut = async (request, response) => {
      md5 = await md5Of(request)
      expect(request.headers).not.toHaveProperty('content-type')
      response.writeHead(200, allow).end()
    }
    const expected = createHash('md5').update('abcdef'.repeat(1000)).digest('base64')
    for (const how of ['bytes', 'stream']) {
      const status = await page.evaluate(sendOther, { url, how })
      expect([how, status, md5]).toEqual([how, 200, expected])
    }
  })
})

const allow = { 'access-control-allow-origin': '*' }

async function md5Of(request: IncomingMessage): Promise<string> {
  const hash = createHash('md5')
  for await (const chunk of request) hash.update(chunk)
  return hash.digest('base64')
}

/** These run in the page. */

async function sendPart({ url, abortAfterBytes = Infinity }: { url: string; abortAfterBytes: number | undefined }) {
  const { source } = window
  const canceller = new AbortController()
  const progress: number[] = []
  const outcome: Outcome = { progress }
  try {
    const reply: PartReply = await window.partway.createXhrTransport().send({
      method: 'PUT',
      url,
      headers: { 'Content-MD5': 'abc' },
      body: window.partway.rangeBody(source, 0, source.sizeBytes),
      signal: canceller.signal,
      onProgress(sentBytes) {
        progress.push(sentBytes)
        if (sentBytes >= abortAfterBytes) canceller.abort(new Error('enough'))
      },
    })
    const headers = { etag: reply.header('etag'), 'x-hidden': reply.header('x-hidden') }
    outcome.reply = { status: reply.status, text: reply.text, headers }
  } catch (thrown) {
    const { name, message, code, isOpaque } = thrown as Error & { code?: string; isOpaque?: boolean }
    outcome.error = { name, message, code, isOpaque }
  }
  return outcome
}

async function sendOther({ url, how }: { url: string; how: string }) {
  const bytes = new TextEncoder().encode('abcdef'.repeat(1000))
  async function* stream() {
    const piece = new Uint8Array(600)
    for (let start = 0; start < bytes.length; start += 600) {
      // The same memory for every piece, as a source may do.
      piece.set(bytes.subarray(start, start + 600))
      yield piece
    }
  }
  const body = how === 'bytes' ? window.partway.bytesBody(bytes) : { sizeBytes: bytes.length, stream }
  const { signal } = new AbortController()
  const part = { method: 'PUT', url, headers: {}, body, signal, onProgress: () => {} }
  return (await window.partway.createXhrTransport().send(part)).status
}
