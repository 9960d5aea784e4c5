import { randomBytes } from 'node:crypto'
import { crc64, foldCrc64 } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ListedUpload, ObjectStore, UploadPosition } from '../../server/oss/object-store.ts'
import { md5Of, someBytes } from './api.ts'

const smallestPartBytes = 102_400
const attributes = {
  contentType: 'text/plain',
  contentDisposition: `attachment; filename="a.txt"; filename*=UTF-8''%E7%9B%AE.txt`,
  metadata: { 'partway-upload': 'upl_test', colour: 'blue' },
}

/**
 * The behaviour that the use cases rely on, of any ObjectStore: on the local cloud with every run, on a real bucket when there are
 * credentials. `open` returns a store that forbids overwriting, and a prefix nobody else uses.
 */
export function describeObjectStore(
  name: string,
  open: () => Promise<{ store: ObjectStore; prefix: string; close(): Promise<void> }>,
): void {
  describe(name, () => {
    let store: ObjectStore
    let close: () => Promise<void>
    let newKey: () => string

    beforeAll(async () => {
      const opened = await open()
      store = opened.store
      close = opened.close
      newKey = () => `${opened.prefix}${randomBytes(8).toString('hex')}/目录 é (1)!'~+%.txt`
    })
    afterAll(() => close())

    async function put(key: string, ossUploadId: string, partNumber: number, bytes: Uint8Array, md5 = md5Of(bytes)) {
      const { presign } = await store.presignParts(key, ossUploadId, 600)
      const { url, headers } = presign({ partNumber, sizeBytes: bytes.length, md5 })
      return fetch(url, { method: 'PUT', headers, body: new Uint8Array(bytes) })
    }

    async function started(parts: Uint8Array[]) {
      const key = newKey()
      const ossUploadId = await store.initiateUpload(key, attributes)
      for (const [index, bytes] of parts.entries()) {
        expect((await put(key, ossUploadId, index + 1, bytes)).status).toBe(200)
      }
      const page = await store.listParts(key, ossUploadId, { after: 0, limit: 1000 })
      return { key, ossUploadId, listed: page?.parts ?? [] }
    }

    it('takes parts through presigned URLs and lists them with size, ETag and CRC-64', async () => {
      const parts = [someBytes(smallestPartBytes), someBytes(7)]
      const { key, ossUploadId, listed } = await started(parts)
      expect(listed.map(({ partNumber, sizeBytes, etag, crc64 }) => ({ partNumber, sizeBytes, etag, crc64 }))).toEqual(
        parts.map((bytes, index) => ({
          partNumber: index + 1,
          sizeBytes: bytes.length,
          etag: Buffer.from(md5Of(bytes), 'base64').toString('hex').toUpperCase(),
          crc64: crc64(bytes).toString(),
        })),
      )
      await store.abortUpload(key, ossUploadId)
    })

    it('refuses other bytes, another length, and a missing or different MD5', async () => {
      const { key, ossUploadId } = await started([])
      const { presign } = await store.presignParts(key, ossUploadId, 600)
      const bytes = someBytes(1000)
      const { url, headers } = presign({ partNumber: 1, sizeBytes: 1000, md5: md5Of(bytes) })
      const send = (body: Uint8Array, sent: Record<string, string> = headers) =>
        fetch(url, { method: 'PUT', headers: sent, body: new Uint8Array(body) }).then((reply) => reply.status)
      expect(await send(someBytes(1000))).toBe(400)
      expect(await send(bytes.subarray(1))).toBe(403)
      expect(await send(bytes, {})).toBe(403)
      expect(await send(bytes)).toBe(200)
      await store.abortUpload(key, ossUploadId)
    })

    it('pages through parts', async () => {
      const { key, ossUploadId } = await started([someBytes(10), someBytes(11), someBytes(12)])
      const first = await store.listParts(key, ossUploadId, { after: 0, limit: 2 })
      expect([first?.parts.map((part) => part.partNumber), first?.nextAfter]).toEqual([[1, 2], 2])
      const second = await store.listParts(key, ossUploadId, { after: 2, limit: 2 })
      expect([second?.parts.map((part) => part.partNumber), second?.nextAfter]).toEqual([[3], null])
      await store.abortUpload(key, ossUploadId)
    })

    it('joins the parts into an object that says whose it is, and forgets the upload', async () => {
      const parts = [someBytes(smallestPartBytes), someBytes(1)]
      const { key, ossUploadId, listed } = await started(parts)
      const whole = foldCrc64(parts.map((bytes) => ({ crc64: crc64(bytes), sizeBytes: bytes.length }))).toString()
      const done = await store.completeUpload(key, ossUploadId, listed)
      expect(done).toMatchObject({ outcome: 'done', crc64: whole })
      expect(await store.headObject(key)).toEqual({
        sizeBytes: smallestPartBytes + 1,
        etag: done.outcome === 'done' ? done.etag : '',
        crc64: whole,
        uploadTag: 'upl_test',
      })
      expect(await store.completeUpload(key, ossUploadId, listed)).toMatchObject({
        outcome: expect.stringMatching(/^(upload-gone|key-exists)$/),
      })
      expect(await store.listParts(key, ossUploadId, { after: 0, limit: 1000 })).toBeNull()
      await store.deleteObject(key)
    })

    it('commits nothing when a part is not the one listed', async () => {
      const { key, ossUploadId, listed } = await started([someBytes(5)])
      const changed = listed.map((part) => ({ ...part, etag: 'F'.repeat(32) }))
      expect(await store.completeUpload(key, ossUploadId, changed)).toEqual({ outcome: 'part-changed' })
      expect(await store.headObject(key)).toBeNull()
      await store.abortUpload(key, ossUploadId)
    })

    it('does not replace an object', async () => {
      const { key, ossUploadId, listed } = await started([someBytes(5)])
      expect(await store.putEmptyObject(key, attributes)).toMatchObject({ outcome: 'done' })
      expect(await store.completeUpload(key, ossUploadId, listed)).toEqual({ outcome: 'key-exists' })
      expect(await store.putEmptyObject(key, attributes)).toEqual({ outcome: 'key-exists' })
      expect(await store.headObject(key)).toMatchObject({ sizeBytes: 0, uploadTag: 'upl_test' })
      await store.abortUpload(key, ossUploadId)
      await store.deleteObject(key)
      expect(await store.headObject(key)).toBeNull()
      await store.deleteObject(key)
    })

    it('finds exactly the uploads of a key until they are aborted', async () => {
      const key = newKey()
      expect(await store.findUploads(key)).toEqual([])
      const first = await store.initiateUpload(key, attributes)
      const longer = await store.initiateUpload(`${key}.longer`, attributes)
      const second = await store.initiateUpload(key, attributes)
      expect(new Set(await store.findUploads(key))).toEqual(new Set([first, second]))
      expect(await store.abortUpload(key, first)).toBe('aborted')
      expect(await store.abortUpload(key, first)).toBe('gone')
      expect(await store.findUploads(key)).toEqual([second])
      await store.abortUpload(key, second)
      await store.abortUpload(`${key}.longer`, longer)
    })

    it('lists the uploads below a prefix page by page, by the bytes of their keys and then by id', async () => {
      const prefix = `${newKey()}/`
      // UTF-16 would put the last two the other way round.
      const keys = ['B', 'a', 'a', 'a b+%', 'a/z', '\uff5e', '\u{1f600}'].map((name) => `${prefix}${name}`)
      const started: { key: string; ossUploadId: string }[] = []
      for (const key of keys) started.push({ key, ossUploadId: await store.initiateUpload(key, attributes) })
      const beside = await store.initiateUpload(`${prefix.slice(0, -1)}0`, attributes)
      const expected = started.sort(
        (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)) || (a.ossUploadId < b.ossUploadId ? -1 : 1),
      )
      const found: ListedUpload[] = []
      let after: UploadPosition | null = null
      do {
        const page: Awaited<ReturnType<ObjectStore['listUploads']>> = await store.listUploads(prefix, {
          after,
          limit: 2,
        })
        expect(page.uploads.length).toBeLessThanOrEqual(2)
        found.push(...page.uploads)
        after = page.next
      } while (after)
      expect(found.map(({ key, ossUploadId }) => ({ key, ossUploadId }))).toEqual(expected)
      const minutes = found.map(({ initiatedAt }) => Math.abs(Date.now() - initiatedAt.getTime()) / 60_000)
      expect(Math.max(...minutes)).toBeLessThan(15)
      const beyond = await store.listUploads(prefix, { after: { key: `${prefix}a`, ossUploadId: null }, limit: 1000 })
      expect(beyond).toEqual({ uploads: found.slice(3), next: null })
      for (const { key, ossUploadId } of started) await store.abortUpload(key, ossUploadId)
      await store.abortUpload(`${prefix.slice(0, -1)}0`, beside)
      expect(await store.listUploads(prefix, { after: null, limit: 1 })).toEqual({ uploads: [], next: null })
    })

    it.each(['..', '.', '../x', './/x'])('means exactly the key it says, also with %s in it', async (name) => {
      const key = `${newKey()}/${name}`
      const ossUploadId = await store.initiateUpload(key, attributes)
      expect(await store.findUploads(key)).toEqual([ossUploadId])
      expect(await store.listParts(key, ossUploadId, { after: 0, limit: 1 })).toEqual({ parts: [], nextAfter: null })
      expect(await store.headObject(key)).toBeNull()
      expect(await store.abortUpload(key, ossUploadId)).toBe('aborted')
    })

    it('knows its own rights', async () => {
      await store.ping()
    })
  })
}
