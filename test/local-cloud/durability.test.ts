import { createHash } from 'node:crypto'
import { copyFile, cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startTestCloud } from '../support/local-cloud.ts'
import { send } from './send.ts'
import { slowPut } from './slow-put.ts'
import { type CloudProcess, spawnCloud } from './spawn-cloud.ts'

const PART_BYTES = 102_400
/** More rounds by PARTWAY_KILL_ROUNDS. */
const ROUNDS = Number(process.env.PARTWAY_KILL_ROUNDS ?? 4)

let dataDir: string
let running: CloudProcess[]

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'partway-durability-'))
  running = []
})
afterEach(async () => {
  for (const cloud of running) await cloud.kill()
  await rm(dataDir, { recursive: true, force: true })
})

async function spawn(): Promise<CloudProcess> {
  const cloud = await spawnCloud({ dataDir })
  running.push(cloud)
  return cloud
}

const initiate = async (url: string, key: string) =>
  (await send(url, { method: 'POST', key, query: { uploads: null } })).xml('UploadId') ?? ''
const putPart = (url: string, key: string, uploadId: string, partNumber: number, body: Buffer) =>
  send(url, { method: 'PUT', key, query: { uploadId, partNumber: String(partNumber) }, body })
const complete = (url: string, key: string, uploadId: string) =>
  send(url, { method: 'POST', key, query: { uploadId }, headers: { 'x-oss-complete-all': 'yes' } })
const listParts = (url: string, key: string, uploadId: string) => send(url, { method: 'GET', key, query: { uploadId } })
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const partsOf = (text: string) => [...text.matchAll(/<PartNumber>(\d+)</g)].map((match) => Number(match[1]))

describe('a cloud killed', () => {
  it('inside a PUT keeps every earlier part, nothing of that one, and goes on', async () => {
    const first = await spawn()
    const uploadId = await initiate(first.ossUrl, 'k')
    const bytes = [1, 2].map((fill) => Buffer.alloc(PART_BYTES, fill))
    await putPart(first.ossUrl, 'k', uploadId, 1, bytes[0] ?? Buffer.alloc(0))
    const slow = slowPut(first.ossUrl, { key: 'k', query: { uploadId, partNumber: '2' }, lengthBytes: PART_BYTES })
    await slow.write(Buffer.alloc(60_000, 2))
    while ((await readdir(join(dataDir, 'tmp'))).length === 0) await sleep(5)
    await first.kill()
    await expect(slow.answer).rejects.toThrow()

    const second = await spawn()
    expect(partsOf((await listParts(second.ossUrl, 'k', uploadId)).text)).toEqual([1])
    expect(await readdir(join(dataDir, 'tmp'))).toEqual([])
    await putPart(second.ossUrl, 'k', uploadId, 2, bytes[1] ?? Buffer.alloc(0))
    expect((await complete(second.ossUrl, 'k', uploadId)).status).toBe(200)
    expect((await send(second.ossUrl, { method: 'GET', key: 'k' })).body).toEqual(Buffer.concat(bytes))
  })

  it(`at any moment leaves each upload open or completed, never both and never neither (${ROUNDS} rounds)`, async () => {
    const content = (key: string) => [1, 2, 3].map((fill) => Buffer.alloc(PART_BYTES, `${key}${fill}`))
    const outcomes: string[] = []
    let cloud = await spawn()
    for (let round = 0; round < ROUNDS; round++) {
      const { ossUrl } = cloud
      const keys = Array.from({ length: 6 }, (_, index) => `round-${round}/${index}`)
      const uploads = await Promise.all(
        keys.map(async (key) => ({ key, uploadId: await initiate(ossUrl, key), stored: 0 })),
      )
      const work = uploads.map(async (upload) => {
        for (const [index, bytes] of content(upload.key).entries()) {
          await putPart(ossUrl, upload.key, upload.uploadId, index + 1, bytes)
          upload.stored = index + 1
        }
        await complete(ossUrl, upload.key, upload.uploadId)
      })
      const settled = Promise.allSettled(work)
      await sleep(10 + ((round * 37) % 60))
      await cloud.kill()
      await settled

      cloud = await spawn()
      for (const { key, uploadId, stored } of uploads) {
        const object = await send(cloud.ossUrl, { method: 'GET', key })
        const parts = await listParts(cloud.ossUrl, key, uploadId)
        expect([object.status, parts.status].toSorted(), key).toEqual([200, 404])
        outcomes.push(object.status === 200 ? 'completed' : `open ${partsOf(parts.text).length}`)
        if (object.status === 404) {
          expect(partsOf(parts.text).length, 'an answered PUT is kept').toBeGreaterThanOrEqual(stored)
          for (const [index, bytes] of content(key).entries())
            await putPart(cloud.ossUrl, key, uploadId, index + 1, bytes)
          expect((await complete(cloud.ossUrl, key, uploadId)).status).toBe(200)
        }
        const whole = (await send(cloud.ossUrl, { method: 'GET', key })).body
        expect(sha256(whole)).toBe(sha256(Buffer.concat(content(key))))
      }
      expect(await readdir(join(dataDir, 'uploads'))).toEqual([])
    }
    console.log(`after ${ROUNDS} kills: ${outcomes.join(', ')}`)
  })

  it('gives its data directory free, while a living one does not', async () => {
    const first = await spawn()
    await expect(startTestCloud({ dataDir })).rejects.toThrow(/another local cloud/)
    await first.kill()
    const second = await startTestCloud({ dataDir })
    await second.close()
  })
})

/* The windows between two steps, made by hand: what a kill exactly there would leave on the disk. */
describe('a start', () => {
  it('finishes a Complete that was cut short after its commit', async () => {
    const cloud = await startTestCloud({ dataDir })
    const uploadId = await initiate(cloud.ossUrl, 'k')
    await putPart(cloud.ossUrl, 'k', uploadId, 1, Buffer.alloc(PART_BYTES, 1))
    await putPart(cloud.ossUrl, 'k', uploadId, 2, Buffer.alloc(PART_BYTES, 2))
    const record = join(dataDir, 'uploads', `${uploadId}.json`)
    const data = join(dataDir, 'data', uploadId)
    await copyFile(record, join(dataDir, 'record'))
    await cp(data, join(dataDir, 'data-before'), { recursive: true })
    const listed = await listParts(cloud.ossUrl, 'k', uploadId)
    const body = `<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>${[...listed.text.matchAll(/<ETag>(.*?)<\/ETag>/g)][1]?.[1]}</ETag></Part></CompleteMultipartUpload>`
    expect((await send(cloud.ossUrl, { method: 'POST', key: 'k', query: { uploadId }, body })).status).toBe(200)
    await cloud.close()
    await copyFile(join(dataDir, 'record'), record)
    await cp(join(dataDir, 'data-before'), data, { recursive: true })
    expect(await readdir(data)).toHaveLength(2)

    const again = await startTestCloud({ dataDir })
    expect((await listParts(again.ossUrl, 'k', uploadId)).error.code).toBe('NoSuchUpload')
    expect((await send(again.ossUrl, { method: 'GET', key: 'k' })).body).toEqual(Buffer.alloc(PART_BYTES, 2))
    expect(await readdir(data), 'the part that was not listed is gone').toHaveLength(1)
    expect(await readdir(join(dataDir, 'uploads'))).toEqual([])
    await again.close()
  })

  it('removes bytes that belong to nobody, and of two versions of a part takes the later', async () => {
    const cloud = await startTestCloud({ dataDir })
    const uploadId = await initiate(cloud.ossUrl, 'k')
    const data = join(dataDir, 'data', uploadId)
    await putPart(cloud.ossUrl, 'k', uploadId, 1, Buffer.alloc(10, 1))
    await cp(data, join(dataDir, 'data-before'), { recursive: true })
    const later = await putPart(cloud.ossUrl, 'k', uploadId, 1, Buffer.alloc(10, 2))
    await cloud.close()
    await cp(join(dataDir, 'data-before'), data, { recursive: true })
    await mkdir(join(dataDir, 'data', 'ORPHAN'))
    await writeFile(join(dataDir, 'data', 'ORPHAN', 'x'), 'x')
    await writeFile(join(dataDir, 'tmp', 'half'), 'x')

    const again = await startTestCloud({ dataDir })
    const listed = await listParts(again.ossUrl, 'k', uploadId)
    expect(listed.text).toContain(String(later.headers.etag).replaceAll('"', '&quot;'))
    expect(await readdir(join(dataDir, 'data'))).toEqual([uploadId])
    expect(await readdir(join(dataDir, 'tmp'))).toEqual([])
    await again.close()
  })

  it('refuses a damaged file rather than delete what it spoke for', async () => {
    const cloud = await startTestCloud({ dataDir })
    await send(cloud.ossUrl, { method: 'PUT', key: 'k', body: 'x' })
    await cloud.close()
    const [name] = await readdir(join(dataDir, 'objects'))
    await writeFile(join(dataDir, 'objects', name ?? ''), '{')
    await expect(startTestCloud({ dataDir })).rejects.toThrow(/is damaged/)
    expect(await readdir(join(dataDir, 'data'))).toHaveLength(1)
  })

  it('remembers objects, uploads, buckets and their settings', async () => {
    const cloud = await startTestCloud({ dataDir })
    const { ossUrl } = cloud
    await send(ossUrl, { method: 'PUT', key: 'k', body: 'x', headers: { 'x-oss-meta-a': '1', 'content-type': 'a/b' } })
    const uploadId = await initiate(ossUrl, 'k2')
    await putPart(ossUrl, 'k2', uploadId, 4, Buffer.from('x'))
    const before = await Promise.all([listParts(ossUrl, 'k2', uploadId), send(ossUrl, { method: 'HEAD', key: 'k' })])
    await cloud.close()
    const again = await startTestCloud({ dataDir })
    const after = await Promise.all([
      listParts(again.ossUrl, 'k2', uploadId),
      send(again.ossUrl, { method: 'HEAD', key: 'k' }),
    ])
    expect(after[0].text).toBe(before[0].text)
    for (const name of ['etag', 'last-modified', 'content-type', 'x-oss-meta-a', 'x-oss-hash-crc64ecma']) {
      expect([name, after[1].headers[name]]).toEqual([name, before[1].headers[name]])
    }
    expect((await send(again.ossUrl, { method: 'GET', query: { uploads: null } })).text).toContain(uploadId)
    await again.close()
  })
})

describe('closing', () => {
  it('is quick with connections open and bodies in flight', async () => {
    const cloud = await startTestCloud({ dataDir })
    const slow = slowPut(cloud.ossUrl, { key: 'k', lengthBytes: 100 })
    await slow.write(Buffer.from('x'))
    await cloud.close()
    await expect(slow.answer).rejects.toThrow()
  })
})
