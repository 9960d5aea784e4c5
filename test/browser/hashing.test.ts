import { createHash, randomBytes } from 'node:crypto'
import { appendFile, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesBody, createNodeHashing, openFileSource, rangeBody } from '@partway/client/node'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { describeInBrowser, launchChromium } from '../support/chromium.ts'
import { startSdkPage } from '../support/sdk-page.ts'
import { longestTaskDuring } from './main-thread.ts'

const MiB = 1_048_576
const scripts = "default-src 'none'; script-src 'self'"

/** Where bytes are hashed, and by what, follows from the page's policy. */
const variants: { name: string; csp?: string; inWorker: boolean }[] = [
  { name: 'in a worker, by WebAssembly', inWorker: true },
  { name: 'in a worker, by plain JavaScript', csp: `${scripts}; worker-src 'self'`, inWorker: true },
  {
    name: 'on the main thread, by WebAssembly',
    csp: `${scripts} 'wasm-unsafe-eval'; worker-src 'none'`,
    inWorker: false,
  },
  { name: 'on the main thread, by plain JavaScript', csp: `${scripts}; worker-src 'none'`, inWorker: false },
]

/** Source of the CRC-64: OSS "Check data integrity by using CRC-64", as in the protocol facts. */
const vectors: [text: string, crc64: string][] = [
  ['', '0'],
  ['a', '3675645893302102789'],
  ['123456789', '11051210869376104954'],
  ['hello world', '5981764153023615706'],
  ['a'.repeat(102_400), '12696911168479852064'],
]

describeInBrowser('hashing in a browser', () => {
  let browser: Browser
  let directory: string
  beforeAll(async () => {
    browser = await launchChromium()
    directory = await mkdtemp(join(tmpdir(), 'partway-hashing-'))
  })
  afterAll(async () => {
    await browser.close()
    await rm(directory, { recursive: true, force: true })
  })

  /** A page under a policy, with the file at `path` chosen. */
  async function withPage<Result>(csp: string | undefined, path: string, use: (page: Page) => Promise<Result>) {
    const sdkPage = await startSdkPage(csp === undefined ? {} : { csp })
    const page = await sdkPage.open(browser)
    try {
      await page.setInputFiles('#files', path)
      await page.evaluate(() => {
        const file = document.querySelector<HTMLInputElement>('#files')?.files?.[0]
        if (!file) throw new Error('no file was chosen')
        Object.assign(window, { file, hashing: window.partway.createBrowserHashing() })
      })
      return await use(page)
    } finally {
      await page.close()
      await sdkPage.close()
    }
  }

  for (const { name, csp, inWorker } of variants) {
    describe(name, () => {
      test('comes to what the vectors say', async () => {
        const path = join(directory, 'empty.bin')
        await writeFile(path, '')
        const found = await withPage(csp, path, (page) =>
          page.evaluate(
            async (texts) => {
              const hashing = window.partway.createBrowserHashing()
              const digests: { md5: string; crc64: string; alone: string }[] = []
              for (const text of texts) {
                const source = await window.partway.openBlobSource(new Blob([text]))
                const body = window.partway.rangeBody(source, 0, source.sizeBytes)
                const { md5, crc64 } = await hashing.digest(body)
                digests.push({ md5, crc64: crc64.toString(), alone: (await hashing.crc64(body)).toString() })
              }
              return digests
            },
            vectors.map(([text]) => text),
          ),
        )
        expect(found).toEqual(
          vectors.map(([text, crc64]) => ({
            md5: createHash('md5').update(text).digest('base64'),
            crc64,
            alone: crc64,
          })),
        )
      })

      test(`comes to what Node's hashing does, for ranges of a file of odd length, and ${inWorker ? 'keeps' : 'gives back'} the main thread`, async () => {
        const path = join(directory, `${variants.findIndex((variant) => variant.name === name)}.bin`)
        const sizeBytes = 40 * MiB + 4567
        await writeRandom(path, sizeBytes)
        const ranges = [
          [0, sizeBytes],
          [1, 2],
          [MiB - 1, 3 * MiB + 17],
        ] as const
        const { digests, workers } = await withPage(csp, path, async (page) => ({
          digests: await page.evaluate(async (wanted) => {
            const source = await window.partway.openBlobSource(window.file)
            const digest = (start: number, end: number) =>
              window.hashing.digest(window.partway.rangeBody(source, start, end))
            // At once: they must not get into each other's way.
            const found = await Promise.all(wanted.map(([start, end]) => digest(start, end)))
            return found.map(({ md5, crc64 }) => ({ md5, crc64: crc64.toString() }))
          }, ranges),
          workers: page.workers().length,
        }))
        const source = await openFileSource(path)
        const node = createNodeHashing()
        const expected = await Promise.all(ranges.map(([start, end]) => node.digest(rangeBody(source, start, end))))
        await source.close()
        expect(digests).toEqual(expected.map(({ md5, crc64 }) => ({ md5, crc64: crc64.toString() })))
        expect(workers).toBe(inWorker ? 1 : 0)
      })

      test('takes no more than 100 ms at a time from the page, for 300 MB', async () => {
        const path = join(directory, 'three-hundred.bin')
        await writeSparse(path, 300_000_000)
        let elapsedMs = 0
        const longest = await withPage(csp, path, (page) =>
          longestTaskDuring(browser, page, async () => {
            elapsedMs = await page.evaluate(timeHashing)
          }),
        )
        const figures = `${Math.round(longest.processorMs)} ms of a processor, ${Math.round(longest.elapsedMs)} ms on the wall`
        console.log(`hashing ${name}: ${Math.round(300_000 / elapsedMs)} MB/s, longest task ${figures}`)
        expect(longest.taskCount).toBeGreaterThan(10)
        expect(longest.processorMs).toBeLessThanOrEqual(100)
      })
    })
  }

  for (const { name, csp } of variants) {
    test(`${name} says that the file has changed, or is gone`, async () => {
      const path = join(directory, 'changing.bin')
      await writeRandom(path, 5 * MiB)
      await withPage(csp, path, async (page) => {
        expect(await hashFile(page)).toMatch(/==$/)
        await appendFile(path, 'more')
        expect(await hashFile(page)).toBe('source-changed')
        await rm(path)
        expect(await hashFile(page)).toBe('source-unreadable')
      })
    })
  }

  for (const [how, end] of [
    [
      'fails',
      () =>
        void setTimeout(() => {
          throw new Error('a mistake')
        }, 0),
    ],
    ['dies without a word', () => globalThis.close()],
  ] as const) {
    test(`goes on when the worker ${how}`, async () => {
      const path = join(directory, 'large.bin')
      await writeSparse(path, 600 * MiB)
      await withPage(undefined, path, async (page) => {
        const first = hashFile(page)
        const worker = page.workers()[0] ?? (await page.waitForEvent('worker'))
        await worker.evaluate(end)
        expect(await first).toBe(await md5OfZeros(600))
        expect(page.workers()).toEqual([])
      })
    })
  }

  test('goes on without a worker when its script cannot be had', async () => {
    const path = join(directory, 'small.bin')
    await writeSparse(path, MiB)
    await withPage(undefined, path, async (page) => {
      await page.route('**/*hash-worker*', (route) => route.abort())
      expect(await hashFile(page)).toBe(await md5OfZeros(1))
    })
  })

  test('stops when it is told to, in the worker, too', async () => {
    const path = join(directory, 'endless.bin')
    await writeSparse(path, 3000 * MiB)
    await withPage(undefined, path, async (page) => {
      const thrown = await page.evaluate(async () => {
        const source = await window.partway.openBlobSource(window.file)
        const canceller = new AbortController()
        setTimeout(() => canceller.abort('enough'), 200)
        const whole = window.partway.rangeBody(source, 0, source.sizeBytes)
        // As many as are hashed at once: who comes next has to wait for one of them.
        const all = [1, 2, 3, 4].map(() => window.hashing.digest(whole, canceller.signal).catch((error) => error))
        return Promise.all(all)
      })
      expect(thrown).toEqual(Array(4).fill('enough'))
      const startedAtMs = Date.now()
      await page.evaluate(async () => {
        const source = await window.partway.openBlobSource(window.file)
        await window.hashing.digest(window.partway.rangeBody(source, 0, 1000))
      })
      // What was stopped would take most of a minute still.
      expect(Date.now() - startedAtMs).toBeLessThan(10_000)
    })
  })

  test('hashes bytes that are no Blob', async () => {
    const path = join(directory, 'none.bin')
    await writeFile(path, 'x')
    const bytes = randomBytes(100_001)
    const found = await withPage(undefined, path, (page) =>
      page.evaluate(
        async (list) => {
          const { md5, crc64 } = await window.hashing.digest(window.partway.bytesBody(new Uint8Array(list)))
          return { md5, crc64: crc64.toString() }
        },
        [...bytes],
      ),
    )
    const { md5, crc64 } = await createNodeHashing().digest(bytesBody(bytes))
    expect(found).toEqual({ md5, crc64: crc64.toString() })
  })
})

/** Gives the hash of the file in the page, or what it fails with. */
function hashFile(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const source = await window.partway.openBlobSource(window.file)
    const digest = window.hashing.digest(window.partway.rangeBody(source, 0, source.sizeBytes))
    return digest.then(
      ({ md5 }) => md5,
      (error) => error.code,
    )
  })
}

declare global {
  interface Window {
    file: File
    hashing: import('@partway/client/node').Hashing
  }
}

/** Runs in the page: how long it takes to hash the file, in ms. */
async function timeHashing(): Promise<number> {
  const source = await window.partway.openBlobSource(window.file)
  const startedAtMs = performance.now()
  await window.hashing.digest(window.partway.rangeBody(source, 0, source.sizeBytes))
  return performance.now() - startedAtMs
}

async function writeRandom(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w')
  for (let left = sizeBytes; left > 0; left -= MiB) await file.write(randomBytes(Math.min(left, MiB)))
  await file.close()
}

async function md5OfZeros(count: number): Promise<string> {
  const md5 = createHash('md5')
  const zeros = new Uint8Array(MiB)
  for (let index = 0; index < count; index++) md5.update(zeros)
  return md5.digest('base64')
}

async function writeSparse(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'w')
  await file.truncate(sizeBytes)
  await file.close()
}
