import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { crc64 } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/local-cloud.ts'
import { send } from './send.ts'
import { signedUrl, slowPut } from './slow-put.ts'

const PART_BYTES = 102_400
const part = (fill: number, sizeBytes = PART_BYTES) => Buffer.alloc(sizeBytes, fill)
const hexMd5 = (bytes: Buffer) => createHash('md5').update(bytes).digest('hex').toUpperCase()

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud()
})
afterAll(() => cloud.cleanUp())

let lastKey = 0
async function initiate(headers: Record<string, string> = {}, query = {}) {
  const key = `upload-${++lastKey}`
  const answer = await send(cloud.ossUrl, { method: 'POST', key, query: { uploads: null, ...query }, headers })
  return { key, uploadId: answer.xml('UploadId') ?? '' }
}

type Upload = Awaited<ReturnType<typeof initiate>>
const put = ({ key, uploadId }: Upload, partNumber: number, body: Buffer, headers = {}) =>
  send(cloud.ossUrl, { method: 'PUT', key, query: { partNumber: String(partNumber), uploadId }, body, headers })
const completeAll = ({ key, uploadId }: Upload, headers = {}) =>
  send(cloud.ossUrl, { method: 'POST', key, query: { uploadId }, headers: { 'x-oss-complete-all': 'yes', ...headers } })
const abort = ({ key, uploadId }: Upload) => send(cloud.ossUrl, { method: 'DELETE', key, query: { uploadId } })
const listParts = ({ key, uploadId }: Upload, query = {}) =>
  send(cloud.ossUrl, { method: 'GET', key, query: { uploadId, ...query } })
const get = (key: string, headers = {}) => send(cloud.ossUrl, { method: 'GET', key, headers })
const numbers = (text: string) => [...text.matchAll(/<PartNumber>(\d+)</g)].map((match) => Number(match[1]))

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('an upload in parts', () => {
  it('becomes one object of the listed parts, with checksums of the whole', async () => {
    const upload = await initiate({
      'content-type': 'video/mp4',
      'x-oss-meta-tag': 'a b',
      'content-disposition': 'inline',
    })
    const pieces = [part(1), part(2), Buffer.from('tail')]
    for (const [index, bytes] of pieces.entries()) {
      const answer = await put(upload, index + 5, bytes)
      expect(answer.headers).toMatchObject({
        etag: `"${hexMd5(bytes)}"`,
        'content-md5': createHash('md5').update(bytes).digest('base64'),
        'x-oss-hash-crc64ecma': crc64(bytes).toString(),
        'content-length': '0',
      })
    }
    await put(upload, 9, part(9))
    const listed = pieces.map(
      (bytes, index) =>
        `<Part><ETag>&quot;${hexMd5(bytes).toLowerCase()}&#34;</ETag>\n<PartNumber> ${index + 5} </PartNumber></Part>`,
    )
    const body = `<?xml version="1.0"?>\n<CompleteMultipartUpload xmlns="a"><!-- unlisted: 9 -->${listed.join('\n')}</CompleteMultipartUpload>`
    const done = await send(cloud.ossUrl, {
      method: 'POST',
      key: upload.key,
      query: { uploadId: upload.uploadId },
      body,
    })
    const whole = Buffer.concat(pieces)
    const etag = `${hexMd5(Buffer.from(pieces.map(hexMd5).join(''), 'hex'))}-3`
    expect(done.status).toBe(200)
    expect(done.headers['content-type']).toBe('application/xml')
    expect(done.headers).toMatchObject({ etag: `"${etag}"`, 'x-oss-hash-crc64ecma': crc64(whole).toString() })
    expect(done.xml('Key')).toBe(upload.key)

    const got = await get(upload.key)
    expect(got.body).toEqual(whole)
    expect(got.headers).toMatchObject({
      'content-type': 'video/mp4',
      'x-oss-meta-tag': 'a b',
      'content-disposition': 'inline',
      'x-oss-object-type': 'Multipart',
      'x-oss-hash-crc64ecma': crc64(whole).toString(),
      etag: `"${etag}"`,
    })
    const files = await readdir(join(cloud.dataDir, 'data', upload.uploadId))
    expect(files, 'bytes of parts that were not listed are gone').toHaveLength(3)
  })

  it('takes one part of any size, none at all but not nothing', async () => {
    const one = await initiate()
    await put(one, 10_000, Buffer.from('x'))
    expect((await completeAll(one)).status).toBe(200)
    const none = await initiate()
    expect((await completeAll(none)).error.code).toBe('MalformedXML')
  })

  it('keeps the last of several versions of a part', async () => {
    const upload = await initiate()
    for (const fill of [1, 2, 3]) await put(upload, 1, part(fill))
    const listed = await listParts(upload)
    expect(numbers(listed.text)).toEqual([1])
    expect(listed.text).toContain(hexMd5(part(3)))
    expect(await readdir(join(cloud.dataDir, 'data', upload.uploadId))).toHaveLength(1)
    await completeAll(upload)
    expect((await get(upload.key)).body).toEqual(part(3))
  })

  it('refuses a part that is not what its Content-MD5 says, and stores nothing of it', async () => {
    const upload = await initiate()
    const wrong = { 'content-md5': createHash('md5').update('other').digest('base64') }
    expect((await put(upload, 1, part(1), wrong)).error).toMatchObject({ code: 'InvalidDigest', ec: '0017-00000503' })
    expect((await listParts(upload)).text).not.toContain('<Part>')
    expect(await readdir(join(cloud.dataDir, 'tmp'))).toEqual([])
    const right = { 'content-md5': createHash('md5').update(part(1)).digest('base64') }
    expect((await put(upload, 1, part(1), right)).status).toBe(200)
  })

  it('lists parts page by page, strictly after the marker', async () => {
    const upload = await initiate()
    for (const partNumber of [7, 3, 10_000, 1]) await put(upload, partNumber, Buffer.from('x'))
    const first = await listParts(upload, { 'max-parts': '2' })
    expect([numbers(first.text), first.xml('IsTruncated'), first.xml('NextPartNumberMarker')]).toEqual([
      [1, 3],
      'true',
      '3',
    ])
    const second = await listParts(upload, { 'max-parts': '2', 'part-number-marker': '3' })
    expect([numbers(second.text), second.xml('IsTruncated'), second.xml('NextPartNumberMarker')]).toEqual([
      [7, 10_000],
      'false',
      '10000',
    ])
    expect((await listParts(upload, { 'part-number-marker': '10000' })).text).not.toContain('<Part>')
  })

  it('answers a second Complete, an abort and a part after it with NoSuchUpload', async () => {
    const upload = await initiate()
    await put(upload, 1, part(1))
    await completeAll(upload)
    expect((await completeAll(upload)).error).toMatchObject({ code: 'NoSuchUpload', ec: '0042-00000203' })
    expect((await abort(upload)).error).toMatchObject({ code: 'NoSuchUpload', ec: '0042-00000002' })
    expect((await put(upload, 1, part(1))).error).toMatchObject({ code: 'NoSuchUpload', ec: '0042-00000104' })
    expect((await get(upload.key)).status).toBe(200)
  })

  it('lets one of fifty concurrent Completes win', async () => {
    const upload = await initiate()
    await put(upload, 1, part(1))
    const answers = await Promise.all(Array.from({ length: 50 }, () => completeAll(upload)))
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1)
    expect(answers.filter((answer) => answer.error.code === 'NoSuchUpload')).toHaveLength(49)
  })

  it('does not overwrite where that is forbidden, neither at the start nor at the end', async () => {
    const upload = await initiate()
    await put(upload, 1, part(1))
    await send(cloud.ossUrl, { method: 'PUT', key: upload.key, body: 'first' })
    const forbid = { 'x-oss-forbid-overwrite': 'true' }
    expect((await completeAll(upload, forbid)).error.code).toBe('FileAlreadyExists')
    const again = await send(cloud.ossUrl, {
      method: 'POST',
      key: upload.key,
      query: { uploads: null },
      headers: forbid,
    })
    expect(again.error.code).toBe('FileAlreadyExists')
    expect((await get(upload.key)).text).toBe('first')
    expect((await completeAll(upload)).status, 'the upload is still open').toBe(200)
    expect((await get(upload.key)).body).toEqual(part(1))
  })

  it('refuses a changed part of a sequential upload, and names the one it has', async () => {
    const upload = await initiate({}, { sequential: null })
    await put(upload, 1, part(1))
    expect((await put(upload, 1, part(1))).status).toBe(200)
    const refused = await put(upload, 1, part(2))
    expect(refused.status).toBe(409)
    expect(refused.error.code).toBe('PartAlreadyExist')
    expect(refused.xml('PartEtag')).toBe(`&quot;${hexMd5(part(1))}&quot;`)
  })

  it('honours a signed Content-Length', async () => {
    const upload = await initiate()
    const query = { partNumber: '1', uploadId: upload.uploadId }
    const signed = {
      method: 'PUT',
      key: upload.key,
      query,
      sign: 'query' as const,
      additionalHeaders: ['content-length'],
    }
    const ask = (body: Buffer) =>
      send(cloud.ossUrl, {
        ...signed,
        headers: { 'content-length': '5' },
        unsignedHeaders: { 'content-length': String(body.length) },
        body,
      })
    expect((await ask(Buffer.from('12345'))).status).toBe(200)
    expect((await ask(Buffer.from('123456'))).error.code).toBe('SignatureDoesNotMatch')
  })
})

describe('bytes in flight', () => {
  it('land after an abort, and the upload is back until it is aborted again', async () => {
    const upload = await initiate({ 'x-oss-meta-tag': 'kept' })
    await put(upload, 1, part(1))
    const slow = slowPut(cloud.ossUrl, {
      key: upload.key,
      query: { partNumber: '2', uploadId: upload.uploadId },
      lengthBytes: PART_BYTES,
    })
    const before = cloud.requests.count('UploadPart')
    await slow.write(part(2).subarray(0, 1000))
    await until(() => cloud.requests.count('UploadPart') > before - 1)
    await until(async () => (await readdir(join(cloud.dataDir, 'tmp'))).length > 0)
    expect((await abort(upload)).status).toBe(204)
    expect((await listParts(upload)).status).toBe(404)
    slow.end(part(2).subarray(1000))
    expect((await slow.answer).status).toBe(200)
    expect(numbers((await listParts(upload)).text)).toEqual([2])
    expect((await abort(upload)).status).toBe(204)
    expect((await listParts(upload)).error.code).toBe('NoSuchUpload')
    expect((await abort(upload)).error.code).toBe('NoSuchUpload')
    expect(await readdir(join(cloud.dataDir, 'data'))).not.toContain(upload.uploadId)
  })

  it('come too late after a Complete', async () => {
    const upload = await initiate()
    await put(upload, 1, part(1))
    const slow = slowPut(cloud.ossUrl, {
      key: upload.key,
      query: { partNumber: '1', uploadId: upload.uploadId },
      lengthBytes: PART_BYTES,
    })
    await slow.write(part(2).subarray(0, 1000))
    await until(async () => (await readdir(join(cloud.dataDir, 'tmp'))).length > 0)
    expect((await completeAll(upload)).status).toBe(200)
    slow.end(part(2).subarray(1000))
    expect((await slow.answer).text).toContain('<Code>NoSuchUpload</Code>')
    expect((await get(upload.key)).body).toEqual(part(1))
    expect(await readdir(join(cloud.dataDir, 'tmp'))).toEqual([])
  })

  it('are not stored when they end early', async () => {
    const upload = await initiate()
    const slow = slowPut(cloud.ossUrl, {
      key: upload.key,
      query: { partNumber: '1', uploadId: upload.uploadId },
      lengthBytes: PART_BYTES,
    })
    await slow.write(part(1).subarray(0, 50_000))
    await until(async () => (await readdir(join(cloud.dataDir, 'tmp'))).length > 0)
    slow.outgoing.destroy()
    await until(async () => (await readdir(join(cloud.dataDir, 'tmp'))).length === 0)
    expect((await listParts(upload)).text).not.toContain('<Part>')
    const object = slowPut(cloud.ossUrl, { key: 'never', lengthBytes: 10 })
    await object.write(Buffer.from('12345'))
    object.outgoing.destroy()
    await until(() => cloud.requests.countAnswered('PutObject', 0) > 0)
    expect((await get('never')).status).toBe(404)
  })

  it('time out when they stop coming', async () => {
    const hasty = await startTestCloud({ bodyTimeoutMs: 50 })
    try {
      const slow = slowPut(hasty.ossUrl, { key: 'k', lengthBytes: 10 })
      await slow.write(Buffer.from('12345'))
      const answer = await slow.answer
      expect(answer.status).toBe(400)
      expect(answer.text).toContain('<Code>RequestTimeout</Code>')
    } finally {
      await hasty.cleanUp()
    }
  })

  it('wait for 100-continue, and are never sent when refused', async () => {
    const sent = slowPut(cloud.ossUrl, { key: 'continued', lengthBytes: 5, headers: { expect: '100-continue' } })
    await new Promise((resolve) => sent.outgoing.once('continue', resolve))
    sent.end(Buffer.from('12345'))
    expect((await sent.answer).status).toBe(200)
    const refused = slowPut(cloud.ossUrl, {
      key: 'k',
      query: { partNumber: '1', uploadId: 'none' },
      lengthBytes: 5,
      headers: { expect: '100-continue', connection: 'keep-alive' },
    })
    let isContinued = false
    refused.outgoing.once('continue', () => {
      isContinued = true
    })
    const answer = await refused.answer
    expect([answer.status, answer.connection], 'a body may follow or not').toEqual([404, 'close'])
    expect(isContinued).toBe(false)
    refused.outgoing.destroy()
  })

  it('may come in chunks without a length', async () => {
    const upload = await initiate()
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new Uint8Array(part(4)))
        controller.close()
      },
    })
    const url = signedUrl(cloud.ossUrl, 'PUT', upload.key, { partNumber: '1', uploadId: upload.uploadId })
    const response = await fetch(url, { method: 'PUT', body: stream, duplex: 'half' } as RequestInit)
    expect(response.headers.get('etag')).toBe(`"${hexMd5(part(4))}"`)
  })
})

describe('an object being read', () => {
  it('stays whole while it is overwritten and deleted', async () => {
    const upload = await initiate()
    const pieces = [1, 2, 3, 4].map((fill) => part(fill, 4 * 1024 * 1024))
    for (const [index, bytes] of pieces.entries()) await put(upload, index + 1, bytes)
    await completeAll(upload)
    const url = signedUrl(cloud.ossUrl, 'GET', upload.key)
    const reader = (await fetch(url)).body?.getReader()
    const chunks = [(await reader?.read())?.value]
    await send(cloud.ossUrl, { method: 'PUT', key: upload.key, body: 'new' })
    expect((await get(upload.key)).text).toBe('new')
    await send(cloud.ossUrl, { method: 'DELETE', key: upload.key })
    for (;;) {
      const next = await reader?.read()
      if (!next || next.done) break
      chunks.push(next.value)
    }
    const read = Buffer.concat(chunks.map((chunk) => chunk ?? new Uint8Array()))
    expect(hexMd5(read)).toBe(hexMd5(Buffer.concat(pieces)))
    await until(async () => !(await readdir(join(cloud.dataDir, 'data'))).includes(upload.uploadId))
  })

  it.each([
    ['bytes=0-0', 206, 'bytes 0-0/10', '0'],
    ['bytes=2-5', 206, 'bytes 2-5/10', '2345'],
    ['bytes=7-', 206, 'bytes 7-9/10', '789'],
    ['bytes=-3', 206, 'bytes 7-9/10', '789'],
    ['bytes=-99', 206, 'bytes 0-9/10', '0123456789'],
    ['bytes=5-2', 200, undefined, '0123456789'],
    ['bytes=8-12', 200, undefined, '0123456789'],
    ['bytes=10-', 200, undefined, '0123456789'],
    ['bytes=0-1,3-4', 200, undefined, '0123456789'],
    ['lines=1-2', 200, undefined, '0123456789'],
  ])('answers %s with %i', async (range, status, contentRange, text) => {
    await send(cloud.ossUrl, { method: 'PUT', key: 'ranged', body: '0123456789' })
    const answer = await get('ranged', { range })
    expect([answer.status, answer.headers['content-range'], answer.text]).toEqual([status, contentRange, text])
  })

  it('cuts a range that ends past the object when standard behaviour is asked for', async () => {
    const answer = await get('ranged', { range: 'bytes=8-12', 'x-oss-range-behavior': 'standard' })
    expect([answer.status, answer.text]).toEqual([206, '89'])
  })

  it('spares an unchanged copy', async () => {
    const { headers } = await get('ranged')
    expect((await get('ranged', { 'if-none-match': String(headers.etag) })).status).toBe(304)
    expect((await get('ranged', { 'if-modified-since': String(headers['last-modified']) })).status).toBe(304)
    expect((await get('ranged', { 'if-unmodified-since': 'Wed, 15 Jan 2020 08:30:00 GMT' })).status).toBe(412)
  })

  it('round-trips an empty object', async () => {
    const answer = await send(cloud.ossUrl, { method: 'PUT', key: 'empty', body: '' })
    expect(answer.headers).toMatchObject({
      etag: '"D41D8CD98F00B204E9800998ECF8427E"',
      'x-oss-hash-crc64ecma': '0',
      'content-md5': '1B2M2Y8AsgTpgAmY7PhCfg==',
    })
    const got = await get('empty')
    expect([got.status, got.headers['content-length'], got.body.length]).toEqual([200, '0', 0])
  })
})
