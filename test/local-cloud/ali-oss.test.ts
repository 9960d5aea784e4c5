import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc64 } from '@partway/client/contract'
import OSS from 'ali-oss'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT_KEY, startTestCloud, TEST_BUCKET, type TestCloud } from '../support/local-cloud.ts'

/* The official client, unchanged, as the judge of the local cloud. Its types lack much of what it does, so they are loosened. */

// biome-ignore lint/suspicious/noExplicitAny: the published types of the client miss most methods used here
type Client = any

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud()
})
afterAll(() => cloud.cleanUp())

function connect(options: object = {}): Client {
  const client = OSS as unknown as new (options: object) => Client
  const endpoint = cloud.ossUrl.replace('127.0.0.1', 'localhost')
  return new client({
    ...ROOT_KEY,
    region: 'oss-cn-hangzhou',
    endpoint,
    sldEnable: true,
    bucket: TEST_BUCKET,
    ...options,
  })
}

const styles = [
  { name: 'V4, path style', options: { authorizationV4: true } },
  { name: 'V1, path style', options: { authorizationV4: false } },
  { name: 'V4, an IP address and path style', options: () => ({ authorizationV4: true, endpoint: cloud.ossUrl }) },
  {
    name: 'V4, an IP address alone',
    options: () => ({ authorizationV4: true, endpoint: cloud.ossUrl, sldEnable: false }),
  },
  {
    name: 'V1, an IP address alone',
    options: () => ({ authorizationV4: false, endpoint: cloud.ossUrl, sldEnable: false }),
  },
]

describe.each(styles)('the official client with $name', ({ name, options }) => {
  let client: Client
  const folder = `${name.replaceAll(/\W+/g, '-')}/目录 +&`
  const bytes = Buffer.from('hello world')

  beforeAll(() => {
    client = connect(typeof options === 'function' ? options() : options)
  })

  it('puts, heads, gets and deletes an object with its headers and metadata', async () => {
    const key = `${folder}/put.txt`
    const put = await client.put(key, bytes, {
      meta: { owner: 'somebody', number: '7' },
      headers: { 'Content-Disposition': "attachment; filename*=UTF-8''a%20b", 'Cache-Control': 'no-store' },
    })
    expect(put.res.headers.etag).toBe('"5EB63BBBE01EEED093CB22BB8F5ACDC3"')
    expect(put.res.headers['content-md5']).toBe('XrY7u+Ae7tCTyyK7j1rNww==')
    expect(put.res.headers['x-oss-hash-crc64ecma']).toBe('5981764153023615706')
    const head = await client.head(key)
    expect(head.meta).toEqual({ owner: 'somebody', number: '7' })
    expect(head.res.headers).toMatchObject({
      'content-length': '11',
      'content-type': 'text/plain',
      'content-disposition': "attachment; filename*=UTF-8''a%20b",
      'cache-control': 'no-store',
      'x-oss-object-type': 'Normal',
      'x-oss-hash-crc64ecma': '5981764153023615706',
    })
    expect((await client.get(key)).content).toEqual(bytes)
    expect((await client.get(key, { headers: { Range: 'bytes=6-8' } })).content.toString()).toBe('wor')
    expect((await client.delete(key)).res.status).toBe(204)
    await expect(client.head(key)).rejects.toMatchObject({ status: 404, code: 'NoSuchKey' })
    await expect(client.get(key)).rejects.toMatchObject({ status: 404, code: 'NoSuchKey' })
  })

  it('keeps metadata that is not ASCII', async () => {
    const own = { authorizationV4: name.startsWith('V4'), headerEncoding: 'latin1' }
    const key = `${folder}/meta`
    await connect(own).put(key, bytes, { meta: { title: '目录 é' } })
    const head = await connect(own).head(key)
    expect(Buffer.from(head.meta.title, 'latin1').toString()).toBe('目录 é')
  })

  it('uploads a file in parts', async () => {
    const key = `${folder}/multipart.bin`
    const content = randomBytes(1_234_567)
    const done = await client.multipartUpload(key, content, { partSize: 200 * 1024, parallel: 3 })
    expect(done.etag).toMatch(/^"[0-9A-F]{32}-7"$/)
    expect(done.res.headers['x-oss-hash-crc64ecma']).toBe(crc64(content).toString())
    const got = await client.get(key)
    expect(sha256(got.content)).toBe(sha256(content))
    expect(got.res.headers['x-oss-object-type']).toBe('Multipart')
    expect(got.res.headers['content-md5']).toBeUndefined()
  })

  it('resumes an upload from a checkpoint', async () => {
    const key = `${folder}/resumed.bin`
    const file = join(tmpdir(), `partway-resume-${process.pid}-${Math.random()}.bin`)
    const content = randomBytes(900_000)
    await writeFile(file, content)
    try {
      let checkpoint: unknown
      const stopping = client.multipartUpload(key, file, {
        partSize: 102_400,
        parallel: 1,
        progress: (_: number, reached: { doneParts?: unknown[] }) => {
          checkpoint = structuredClone(reached)
          if (reached?.doneParts?.length === 3) client.cancel()
        },
      })
      await expect(stopping).rejects.toMatchObject({ name: 'cancel' })
      client.resetCancelFlag()
      const before = cloud.requests.count('UploadPart')
      await client.multipartUpload(key, file, { checkpoint, parallel: 2 })
      expect(cloud.requests.count('UploadPart') - before).toBe(9 - 3)
      expect(sha256((await client.get(key)).content)).toBe(sha256(content))
    } finally {
      await rm(file, { force: true })
    }
  })

  it('lists parts and uploads, and aborts', async () => {
    const key = `${folder}/aborted.bin`
    const { uploadId } = await client.initMultipartUpload(key)
    const content = randomBytes(102_400)
    for (const partNumber of [3, 1]) {
      await client.uploadPart(key, uploadId, partNumber, content, 0, content.length)
    }
    const listed = await client.listParts(key, uploadId)
    expect(listed.parts.map((part: { PartNumber: string }) => part.PartNumber)).toEqual(['1', '3'])
    expect(listed.parts[0]).toMatchObject({
      ETag: `"${createHash('md5').update(content).digest('hex').toUpperCase()}"`,
      Size: '102400',
      HashCrc64ecma: crc64(content).toString(),
    })
    const uploads = await client.listUploads({ prefix: folder, 'max-uploads': 10 })
    expect(uploads.uploads).toMatchObject([{ name: key, uploadId }])
    expect((await client.abortMultipartUpload(key, uploadId)).res.status).toBe(204)
    await expect(client.abortMultipartUpload(key, uploadId)).rejects.toMatchObject({
      status: 404,
      code: 'NoSuchUpload',
    })
    await expect(client.listParts(key, uploadId)).rejects.toMatchObject({ status: 404, code: 'NoSuchUpload' })
    expect((await client.listUploads({ prefix: folder, 'max-uploads': 10 })).uploads).toEqual([])
  })

  it('copies an object, and parts of one', async () => {
    const source = `${folder}/source.bin`
    const content = randomBytes(300_000)
    await client.put(source, content, { meta: { kind: 'source' } })
    await client.copy(`${folder}/copy.bin`, source)
    const copied = await client.get(`${folder}/copy.bin`)
    expect(sha256(copied.content)).toBe(sha256(content))
    expect((await client.head(`${folder}/copy.bin`)).meta).toEqual({ kind: 'source' })
    const target = `${folder}/part-copy.bin`
    await client.multipartUploadCopy(
      target,
      { sourceKey: source, sourceBucketName: TEST_BUCKET },
      { partSize: 120_000 },
    )
    const head = await client.head(target)
    expect(head.res.headers['x-oss-hash-crc64ecma']).toBe(crc64(content).toString())
    expect(head.res.headers.etag).toMatch(/-3"$/)
  })

  it('lists objects in both versions, page by page', async () => {
    const base = `${folder}/listing`
    for (const file of ['a', 'b', 'c/d', 'c/e']) await client.put(`${base}/${file}`, bytes)
    const first = await client.list({ prefix: `${base}/`, delimiter: '/', 'max-keys': 2 })
    expect(first.objects.map((object: { name: string }) => object.name)).toEqual([`${base}/a`, `${base}/b`])
    expect(first.isTruncated).toBe(true)
    const second = await client.list({ prefix: `${base}/`, delimiter: '/', 'max-keys': 2, marker: first.nextMarker })
    expect(second.prefixes).toEqual([`${base}/c/`])
    expect(second.isTruncated).toBe(false)
    const names: string[] = []
    let token: string | undefined
    do {
      const page = await client.listV2({
        prefix: `${base}/`,
        'max-keys': '3',
        ...(token ? { 'continuation-token': token } : {}),
      })
      names.push(...page.objects.map((object: { name: string }) => object.name))
      token = page.nextContinuationToken
    } while (token)
    expect(names).toEqual(['a', 'b', 'c/d', 'c/e'].map((file) => `${base}/${file}`))
    const deleted = await client.deleteMulti(names)
    expect(deleted.deleted.map((entry: { Key: string }) => entry.Key).sort()).toEqual(names)
    expect((await client.listV2({ prefix: `${base}/` })).keyCount).toBe(0)
  })

  it('keeps ACLs of objects', async () => {
    const key = `${folder}/acl`
    await client.put(key, bytes)
    expect((await client.getACL(key)).acl).toBe('default')
    await client.putACL(key, 'public-read')
    expect((await client.getACL(key)).acl).toBe('public-read')
    expect((await fetch(`${cloud.ossUrl}/${TEST_BUCKET}/${encodeURIComponent(key)}`)).status).toBe(403)
  })
})

describe('URLs signed by the official client', () => {
  const key = 'signed/目录 a(1).txt'

  it.each([true, false])('let anybody put and get with authorizationV4 %s', async (authorizationV4) => {
    const client = connect({ authorizationV4 })
    const sign = (method: string) =>
      authorizationV4
        ? client.signatureUrlV4(method, 600, { headers: {} }, key)
        : Promise.resolve(client.signatureUrl(key, { method, expires: 600 }))
    const put = await fetch(await sign('PUT'), { method: 'PUT', body: new Uint8Array(Buffer.from('by anybody')) })
    expect(put.status).toBe(200)
    const got = await fetch(await sign('GET'))
    expect(await got.text()).toBe('by anybody')
    const wrong = await fetch(await sign('GET'), { method: 'DELETE' })
    expect(wrong.status).toBe(403)
    expect(await wrong.text()).toContain('<Code>SignatureDoesNotMatch</Code>')
  })
})

describe('bucket settings through the official client', () => {
  const client = () => connect({ authorizationV4: true })

  it('makes, describes, lists and deletes buckets', async () => {
    const name = 'made-by-client'
    await client().putBucket(name)
    expect((await client().getBucketLocation(name)).location).toBe('oss-cn-hangzhou')
    const { bucket } = await client().getBucketInfo(name)
    expect(bucket).toMatchObject({ Name: name, Location: 'oss-cn-hangzhou', StorageClass: 'Standard' })
    expect((await client().getBucketACL(name)).acl).toBe('private')
    const names = (await client().listBuckets()).buckets.map((entry: { name: string }) => entry.name)
    expect(names).toContain(name)
    await connect({ authorizationV4: true, bucket: name }).put('k', Buffer.from('x'))
    await expect(client().deleteBucket(name)).rejects.toMatchObject({ status: 409, code: 'BucketNotEmpty' })
    await connect({ authorizationV4: true, bucket: name }).delete('k')
    await client().deleteBucket(name)
    await expect(client().getBucketInfo(name)).rejects.toMatchObject({ status: 404, code: 'NoSuchBucket' })
  })

  it('puts, gets and deletes lifecycle rules', async () => {
    await expect(client().getBucketLifecycle(TEST_BUCKET)).rejects.toMatchObject({
      status: 404,
      code: 'NoSuchLifecycle',
    })
    await client().putBucketLifecycle(TEST_BUCKET, [
      { id: 'stale', prefix: 'uploads/', status: 'Enabled', abortMultipartUpload: { days: 3 } },
    ])
    const { rules } = await client().getBucketLifecycle(TEST_BUCKET)
    expect(rules).toMatchObject([
      { id: 'stale', prefix: 'uploads/', status: 'Enabled', abortMultipartUpload: { days: '3' } },
    ])
    expect((await client().deleteBucketLifecycle(TEST_BUCKET)).res.status).toBe(204)
  })

  it('puts, gets and deletes CORS rules', async () => {
    const rule = {
      allowedOrigin: ['https://a.example', 'http://*.b.example'],
      allowedMethod: ['GET', 'PUT'],
      allowedHeader: '*',
      exposeHeader: ['ETag', 'x-oss-request-id'],
      maxAgeSeconds: '60',
    }
    await client().putBucketCORS(TEST_BUCKET, [rule])
    expect((await client().getBucketCORS(TEST_BUCKET)).rules).toEqual([rule])
    await client().deleteBucketCORS(TEST_BUCKET)
    await expect(client().getBucketCORS(TEST_BUCKET)).rejects.toMatchObject({ code: 'NoSuchCORSConfiguration' })
  })

  it('streams an object to a file', async () => {
    const file = join(tmpdir(), `partway-get-${process.pid}-${Math.random()}.bin`)
    const content = randomBytes(2_000_000)
    await client().put('to-file', content)
    await client().get('to-file', file)
    expect(sha256(await readFile(file))).toBe(sha256(content))
    await rm(file)
  })
})

/** Bytes that differ everywhere and are the same in every run. */
function randomBytes(sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  let state = sizeBytes
  for (let at = 0; at < sizeBytes; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
