import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCloud, type TestCloud } from '../support/local-cloud.ts'
import { send } from './send.ts'

let cloud: TestCloud

beforeAll(async () => {
  cloud = await startTestCloud()
})
afterAll(() => cloud.cleanUp())

describe('the checksums of a stored body', () => {
  it.each([
    ['nothing', '', '0'],
    ['a', 'a', '3675645893302102789'],
    ['digits', '123456789', '11051210869376104954'],
    ['a greeting', 'hello world', '5981764153023615706'],
    ['a pangram', 'The quick brown fox jumps over the lazy dog', '6583902852472283588'],
    ['a megabyte of zeros', Buffer.alloc(1_048_576), '6947770692288575170'],
    ['100 KB of a', 'a'.repeat(102_400), '12696911168479852064'],
    ['100 KB of a and a tail', `${'a'.repeat(102_400)}tail`, '16096605928267898049'],
  ])('are the known ones for %s', async (_, body, crc64) => {
    const answer = await send(cloud.ossUrl, { method: 'PUT', key: 'k', body })
    expect(answer.headers['x-oss-hash-crc64ecma']).toBe(crc64)
  })

  it.each([
    ['hello world', 'XrY7u+Ae7tCTyyK7j1rNww==', '"5EB63BBBE01EEED093CB22BB8F5ACDC3"'],
    ['123456789', 'JfnnlDI7RTiF9RgfG2JNCw==', '"25F9E794323B453885F5181F1B624D0B"'],
    ['', '1B2M2Y8AsgTpgAmY7PhCfg==', '"D41D8CD98F00B204E9800998ECF8427E"'],
  ])('have the known MD5 for %j', async (body, contentMd5, etag) => {
    const headers = { 'content-md5': contentMd5 }
    const answer = await send(cloud.ossUrl, { method: 'PUT', key: 'k', body, headers })
    expect(answer.headers).toMatchObject({ etag, 'content-md5': contentMd5 })
  })

  it('join to the checksum of the whole when parts are completed', async () => {
    const started = await send(cloud.ossUrl, { method: 'POST', key: 'k', query: { uploads: null } })
    const uploadId = started.xml('UploadId') ?? ''
    for (const [index, body] of ['a'.repeat(102_400), 'tail'].entries()) {
      await send(cloud.ossUrl, { method: 'PUT', key: 'k', query: { uploadId, partNumber: String(index + 1) }, body })
    }
    const headers = { 'x-oss-complete-all': 'yes' }
    const done = await send(cloud.ossUrl, { method: 'POST', key: 'k', query: { uploadId }, headers })
    expect(done.headers['x-oss-hash-crc64ecma']).toBe('16096605928267898049')
  })
})
