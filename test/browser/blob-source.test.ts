import { appendFile, mkdtemp, rename, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { type SdkPage, startSdkPage } from '../support/sdk-page.ts'

const sizeBytes = 1_500_000

describeInBrowser('a file picked in a browser', () => {
  let browser: Browser
  let sdkPage: SdkPage
  let page: Page
  let directory: string
  beforeAll(async () => {
    browser = await launchChromium()
    sdkPage = await startSdkPage()
    page = await sdkPage.open(browser)
    directory = await mkdtemp(join(tmpdir(), 'partway-picked-'))
  })
  afterAll(async () => {
    await browser.close()
    await sdkPage.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** Picks a file, whose bytes are their own places modulo 251, and opens it. */
  async function pick(name: string, length = sizeBytes): Promise<string> {
    const path = join(directory, name)
    await writeFile(
      path,
      Uint8Array.from({ length }, (_, index) => index % 251),
    )
    await utimes(path, new Date(1e12), new Date(1e12))
    await page.setInputFiles('#files', path)
    await page.evaluate(async () => {
      const [file] = document.querySelector<HTMLInputElement>('#files')?.files ?? []
      window.source = await window.partway.openBlobSource(file as File)
    })
    return path
  }

  test('is known by name, size, type, and by what tells it from its namesakes', async () => {
    await pick('目录 é.txt')
    const about = await page.evaluate(() => {
      const { name, sizeBytes: size, contentType, identity } = window.source
      return { name, size, contentType, identity }
    })
    expect(about).toEqual({
      name: '目录 é.txt',
      size: sizeBytes,
      contentType: 'text/plain',
      identity: JSON.stringify(['目录 é.txt', 1e12]),
    })
  })

  test('is known by its path when it comes with a folder', async () => {
    const identity = await page.evaluate(async () => {
      const file = new File(['x'], 'a.txt', { lastModified: 5 })
      Object.defineProperty(file, 'webkitRelativePath', { value: 'folder/a.txt' })
      return (await window.partway.openBlobSource(file)).identity
    })
    expect(identity).toBe('["folder/a.txt",5]')
  })

  test('gives any range: whole, in pieces, and as a Blob without a type', async () => {
    await pick('ranges.txt')
    for (const [start, end] of [
      [0, sizeBytes],
      [1_000_001, 1_000_002],
      [524_287, 1_048_577],
      [7, 7],
    ] as const) {
      const got = await page.evaluate(readRange, [start, end] as const)
      expect(got).toEqual({ read: end - start, streamed: end - start, blob: end - start, type: '' })
    }
  })

  test('is nothing but a Blob', async () => {
    const codes = await page.evaluate(async () => {
      const found: string[] = []
      for (const wrong of ['path', null, undefined, {}, new Uint8Array(1), { size: 1, slice() {} }]) {
        const opening = window.partway.openBlobSource(wrong as unknown as Blob)
        await opening.catch((error) => found.push(error.code))
      }
      return found
    })
    expect(codes).toEqual(Array(6).fill('invalid-argument'))
  })

  test('may be a Blob without a name, or of another frame', async () => {
    const about = await page.evaluate(async () => {
      const frame = document.body.appendChild(document.createElement('iframe'))
      const Foreign = (frame.contentWindow as unknown as { Blob: typeof Blob }).Blob
      const source = await window.partway.openBlobSource(new Foreign(['abc']))
      const bytes = [...(await source.read(0, 3))]
      return { bytes, name: source.name, contentType: source.contentType, identity: source.identity }
    })
    expect(about).toEqual({ bytes: [97, 98, 99], name: 'upload', contentType: undefined, identity: undefined })
  })

  describe('is refused once', () => {
    const changes: [what: string, change: (path: string) => Promise<void>, code: string][] = [
      ['it is written again', (path) => writeFile(path, Buffer.alloc(sizeBytes, 9)), 'source-changed'],
      ['it has grown', (path) => appendFile(path, 'x'), 'source-changed'],
      ['it was cut short', (path) => truncate(path, 10), 'source-changed'],
      ['it was removed', (path) => rm(path), 'source-unreadable'],
      ['it was renamed', (path) => rename(path, `${path}.old`), 'source-unreadable'],
    ]
    let count = 0
    let path = ''
    beforeEach(async () => {
      count += 1
      path = await pick(`changing-${count}.bin`)
      expect(await page.evaluate(failures)).toEqual(Array(4).fill('none'))
    })
    for (const [what, change, code] of changes) {
      test(`${what}: at every range, and when only asked`, async () => {
        await change(path)
        expect(await page.evaluate(failures)).toEqual(Array(4).fill(code))
      })
    }
  })

  test('is refused once it is no longer empty', async () => {
    const path = await pick('empty.bin', 0)
    expect(await page.evaluate(() => window.source.checkUnchanged())).toBe(undefined)
    await appendFile(path, 'x')
    const code = await page.evaluate(() => window.source.checkUnchanged().catch((error) => error.code))
    expect(code).toBe('source-changed')
  })
})

declare global {
  interface Window {
    source: import('@partway/client').ByteSource
  }
}

/** These run in the page. */

async function readRange([start, end]: readonly [number, number]) {
  const { source } = window
  const check = (bytes: Uint8Array, from: number) => {
    if (bytes.some((byte, index) => byte !== (from + index) % 251)) throw new Error(`wrong bytes from ${from}`)
    return bytes.byteLength
  }
  const read = check(await source.read(start, end), start)
  let streamed = 0
  for await (const piece of source.stream(start, end)) streamed += check(piece, start + streamed)
  const blob = source.blob?.(start, end) ?? new Blob([], { type: 'none/at-all' })
  return { read, streamed, blob: check(new Uint8Array(await blob.arrayBuffer()), start), type: blob.type }
}

async function failures(): Promise<string[]> {
  const { source } = window
  const end = source.sizeBytes
  const stream = async () => {
    for await (const _piece of source.stream(5, end));
  }
  const tries = [() => source.read(0, 1), () => source.read(end - 100, end), stream, () => source.checkUnchanged()]
  const codes: string[] = []
  for (const attempt of tries) {
    codes.push(
      await Promise.resolve(attempt()).then(
        () => 'none',
        (error) => error.code,
      ),
    )
  }
  return codes
}
