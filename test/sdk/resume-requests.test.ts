import { createMemoryRecordStore, createNodeHashing, type UploadNotice, type UploadResult } from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { interruptUpload } from './interrupt-upload.ts'
import { MiB, sha256OfFile, startUploadBench, type UploadBench, until } from './upload-bench.ts'

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench()
})
beforeEach(() => bench.app.cloud.requests.reset())
afterAll(() => bench.close())

const sizeBytes = 8 * MiB + 77

async function expectWhole(path: string, result: UploadResult): Promise<void> {
  expect(await bench.objectSha256(result.key)).toBe(await sha256OfFile(path))
}

describe('an interrupted upload', () => {
  it('is asked about together with its parts, and what is stored is compared while new parts are on their way, not before', async () => {
    const path = await bench.file(sizeBytes, 'first-byte.bin')
    const recordStore = createMemoryRecordStore()
    const id = await interruptUpload(bench, path, { recordStore })
    const hashing = createNodeHashing()
    let hashed = 0
    let compared = 0
    const watched: typeof hashing = {
      async digest(body, signal) {
        hashed += 1
        return hashing.digest(body, signal)
      },
      async crc64(body, signal) {
        compared += 1
        return hashing.crc64(body, signal)
      },
    }
    let isListed = false
    let comparedAtFirstGrant: number | undefined
    const fetching: typeof fetch = async (input, init) => {
      const { pathname } = new URL(String(input))
      if (pathname.endsWith('/parts')) isListed = true
      const reply = await bench.fetch(input, init)
      if (pathname.endsWith(id)) await until(() => isListed, 'the parts were asked for, too')
      if (pathname.endsWith('/grants') && comparedAtFirstGrant === undefined) {
        // The fingerprint, and two parts.
        await until(() => hashed > 2, 'the second new part was hashed')
        comparedAtFirstGrant = compared
      }
      return reply
    }
    const client = bench.clientWith({ ports: { fetch: fetching, hashing: watched } })
    const result = await client.upload(path, { recordStore }).done
    expect(result.id).toBe(id)
    expect(comparedAtFirstGrant).toBe(0)
    expect(compared).toBeGreaterThan(1)
    await expectWhole(path, result)
  })

  it.each([
    [
      'its parts are refused at first',
      '/parts',
      () => Response.json({ code: 'upload-state-conflict' }, { status: 409 }),
    ],
    ['its parts are not to be had at first', '/parts', () => new Response('', { status: 503 })],
    [
      'it was about to be completed in vain',
      '',
      async (reply: Response) => {
        const { upload } = await reply.json()
        return Response.json({ upload: { ...upload, state: 'completing' } })
      },
    ],
  ])('goes on when, while it is asked about, %s', async (what, path, change) => {
    const file = await bench.file(sizeBytes, `${what}.bin`)
    const recordStore = createMemoryRecordStore()
    const id = await interruptUpload(bench, file, { recordStore })
    const { storedBytes: stored } = (await bench.client.getUpload(id, { reconcile: true })).upload
    let isChanged = false
    const fetching: typeof fetch = async (input, init) => {
      const reply = await bench.fetch(input, init)
      if (isChanged || !new URL(String(input)).pathname.endsWith(`${id}${path}`)) return reply
      isChanged = true
      return change(reply)
    }
    const notices: UploadNotice[] = []
    const onNotice = (notice: UploadNotice) => notices.push(notice)
    const client = bench.clientWith({ ports: { fetch: fetching } })
    const result = await client.upload(file, { recordStore, onNotice }).done
    expect(isChanged).toBe(true)
    expect(result).toMatchObject({ id, sentBytes: sizeBytes - stored })
    expect(notices).toEqual([{ type: 'resumed', id, restoredBytes: stored }])
    await expectWhole(file, result)
  })
})
