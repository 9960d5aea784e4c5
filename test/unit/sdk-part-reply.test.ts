import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { etagOfMd5 } from '../../client-sdk/hashing.ts'
import { ossErrorFromReply } from '../../client-sdk/oss-reply.ts'
import { judgePartReply } from '../../client-sdk/part-reply.ts'

const digest = { md5: createHash('md5').update('hello world').digest('base64'), crc64: 5981764153023615706n }
const reply = (status: number, headers: Record<string, string> = {}, text = '') => ({
  status,
  header: (name: string) => headers[name] ?? null,
  text,
})

describe('an answer of OSS to a part', () => {
  it('means stored when what it tells of the bytes agrees, or when it tells nothing', () => {
    const etag = '"5EB63BBBE01EEED093CB22BB8F5ACDC3"'
    expect(judgePartReply(reply(200, { etag, 'x-oss-hash-crc64ecma': '5981764153023615706' }), '', digest)).toBe(
      'stored',
    )
    expect(judgePartReply(reply(200, { etag }), '', digest)).toBe('stored')
    expect(judgePartReply(reply(200), '', digest)).toBe('stored')
  })

  it('means corrupted when checksum or digest differ', () => {
    expect(judgePartReply(reply(200, { 'x-oss-hash-crc64ecma': '1' }), '', digest)).toBe('corrupted')
    expect(judgePartReply(reply(200, { etag: `"${'0'.repeat(32)}"` }), '', digest)).toBe('corrupted')
    expect(judgePartReply(reply(400), 'InvalidDigest', digest)).toBe('corrupted')
  })

  it('trusts the checksum over an ETag that is no MD5, as encrypted buckets have', () => {
    const headers = { etag: `"${'0'.repeat(32)}"`, 'x-oss-hash-crc64ecma': '5981764153023615706' }
    expect(judgePartReply(reply(200, headers), '', digest)).toBe('stored')
  })

  it('asks for another grant on any 403, and for the upload’s fate on NoSuchUpload', () => {
    expect(judgePartReply(reply(403), 'AccessDenied', digest)).toBe('renew')
    expect(judgePartReply(reply(403), 'SecurityTokenExpired', digest)).toBe('renew')
    expect(judgePartReply(reply(404), 'NoSuchUpload', digest)).toBe('upload-missing')
    expect(judgePartReply(reply(404), 'NoSuchBucket', digest)).toBe('failed')
    expect(judgePartReply(reply(503), 'SlowDown', digest)).toBe('failed')
  })

  it('becomes an exception with OSS’s words and ids, and without the strings that hold tokens', () => {
    const text = `<?xml version="1.0"?><Error><Code>SignatureDoesNotMatch</Code><Message>Not &lt;right&gt;</Message>
      <RequestId>63E3</RequestId><HostId>b.oss.test</HostId><StringToSign>secret-token</StringToSign><EC>0002-00000201</EC></Error>`
    const error = ossErrorFromReply(reply(403, { 'x-oss-qos-delay-time': '120' }, text), 3, 0)
    expect(error).toMatchObject({
      from: 'oss',
      status: 403,
      code: 'SignatureDoesNotMatch',
      requestId: '63E3',
      hostId: 'b.oss.test',
      ec: '0002-00000201',
      retryAfterMs: 120,
      message: 'OSS refused part 3: Not <right> (SignatureDoesNotMatch, HTTP 403)',
    })
    expect(JSON.stringify(error) + error.stack).not.toContain('secret-token')
  })

  it('is an exception too when there is no document', () => {
    expect(ossErrorFromReply(reply(502, {}, '<html>'), 1, 0)).toMatchObject({ code: 'HTTP 502', status: 502 })
  })
})

describe('the ETag of a part', () => {
  it('is its MD5 in upper-case hex', () => {
    expect(etagOfMd5('XrY7u+Ae7tCTyyK7j1rNww==')).toBe('5EB63BBBE01EEED093CB22BB8F5ACDC3')
  })
})
