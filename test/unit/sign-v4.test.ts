import { createHash } from 'node:crypto'
import {
  additionalHeaderNames,
  canonicalQueryV4,
  canonicalRequestV4,
  encodeKey,
  encodeRfc3986,
  ossUrl,
  timestampV4,
} from '@partway/client/contract'
import { describe, expect, it } from 'vitest'
import { createPresignerV4, keyChainV4, presignV4, signHeadersV4 } from '../../server/oss/sign-v4.ts'
import { CLOCK, headerVectors, KEY, presignVectors } from '../local-cloud/vectors-v4.ts'

const sha256Hex = (text: string) => createHash('sha256').update(text).digest('hex')

describe('signature V4', () => {
  it('derives the four keys of the chain', () => {
    expect(keyChainV4(KEY.accessKeySecret, '20250115', 'cn-hangzhou').map((key) => key.toString('hex'))).toEqual([
      'd2eed459db128c4c95dd4895bf5c55936188f23e89d72edac2fcdb8162124ac5',
      '2a19fd7e21f463fbd0afd70e720ec93588c8a1d33b85dc3cb996669fce321ff2',
      'ebc5abcb50a506dd9bbe41250e49d148657d0d859ee373a6d58af3c2f6eecef6',
      'fbd391855eba2733d57ef2f318a813889e5c67bba3b1f4ae19e5948eb3a64252',
    ])
  })

  it.each(presignVectors)('presigns vector $name to the known URL', (vector) => {
    const url = new URL(
      presignV4({
        method: vector.method,
        baseUrl: 'https://oss-cn-hangzhou.aliyuncs.com',
        addressing: 'virtual',
        bucket: 'examplebucket',
        key: vector.key,
        region: 'cn-hangzhou',
        credentials: { ...KEY, ...(vector.token ? { securityToken: vector.token } : {}) },
        now: CLOCK,
        expiresSeconds: vector.expiresSeconds,
        query: vector.query,
        headers: vector.headers,
        additionalHeaders: vector.additionalHeaders,
      }),
    )
    const known = new URL(vector.url)
    expect(Object.fromEntries(url.searchParams)).toEqual(Object.fromEntries(known.searchParams))
    expect(url.searchParams.get('x-oss-signature')).toBe(vector.signature)
    expect(url.host).toBe(known.host)
    expect(decodeURIComponent(url.pathname)).toBe(decodeURIComponent(known.pathname))
  })

  it.each(presignVectors)('writes the canonical request of vector $name', (vector) => {
    const query = [...new URL(vector.url).searchParams].filter(([name]) => name !== 'x-oss-signature')
    const text = canonicalRequestV4({ ...vector, bucket: 'examplebucket', query })
    expect(text).toBe(vector.canonical.join('\n'))
    expect(sha256Hex(text)).toBe(vector.canonicalSha256)
  })

  it.each(headerVectors)('signs the headers of vector $name', (vector) => {
    const { bucket, key, query, headers, additionalHeaders, token } = vector
    const signed = signHeadersV4({
      method: vector.method,
      bucket,
      key,
      query,
      headers,
      additionalHeaders,
      region: 'cn-hangzhou',
      credentials: { ...KEY, ...(token ? { securityToken: token } : {}) },
      now: CLOCK,
    })
    expect(signed.Authorization).toBe(vector.authorization)
    const { Authorization: _, ...sent } = signed
    const text = canonicalRequestV4({ method: vector.method, bucket, key, query, headers: sent, additionalHeaders })
    expect(text).toBe(vector.canonical.join('\n'))
    expect(sha256Hex(text)).toBe(vector.canonicalSha256)
  })

  it('gives one batch the same URLs as signing each part alone, however long its values are', () => {
    const request = {
      method: 'PUT',
      baseUrl: 'http://127.0.0.1:9000/',
      addressing: 'path' as const,
      bucket: 'examplebucket',
      key: 'a b/c.bin',
      region: 'cn-hangzhou',
      credentials: KEY,
      now: CLOCK,
      expiresSeconds: 900,
      additionalHeaders: ['Content-Length'],
    }
    const uploadId = 'an upload'
    const open = { query: ['partNumber'], headers: ['Content-MD5', 'content-length', 'x-oss-meta-a', 'accept'] }
    const presign = createPresignerV4({ ...request, query: { uploadId } }, open)
    for (const [partNumber, md5, length, meta] of [
      ['1', 'XrY7u+Ae7tCTyyK7j1rNww==', '8388608', 'a'],
      ['2', 'AAAAAAAAAAAAAAAAAAAAAA==', '8388608', 'b'],
      ['10000', 'XrY7u+Ae7tCTyyK7j1rNww==', '1', 'ü'],
      ['10000', '', '1', 'é😀'],
      ['10000', '', '1', 'bc'],
      ['10001', '', '1', 'ü'],
      ['1', 'XrY7u+Ae7tCTyyK7j1rNww==', '8388608', ''],
    ] as const) {
      const headers = { 'Content-MD5': md5, 'content-length': length, 'x-oss-meta-a': meta, accept: '*' }
      const url = presign(partNumber, md5, length, meta, '*')
      expect(url).toBe(presignV4({ ...request, query: { partNumber, uploadId }, headers }))
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:9000\/examplebucket\/a%20b\/c\.bin\?partNumber=/)
    }
    expect(() => presign('1', 'XrY7u+Ae7tCTyyK7j1rNww==', '8388608', 'a')).toThrow(/5 values/)
    expect(() => presign('1', 'XrY7u+Ae7tCTyyK7j1rNww==', '8388608', 'a', '*', 'b')).toThrow(/5 values/)
  })

  it('refuses an additional header that is neither given nor left open', () => {
    const request = {
      method: 'PUT',
      baseUrl: 'https://h',
      addressing: 'cname' as const,
      bucket: 'b',
      key: 'k',
      region: 'cn-hangzhou',
      credentials: KEY,
      now: CLOCK,
      expiresSeconds: 900,
      additionalHeaders: ['content-length'],
    }
    expect(() => createPresignerV4(request, { query: ['partNumber'] })).toThrow(/content-length/)
    expect(() => createPresignerV4(request, { headers: ['Content-Length'] })).not.toThrow()
  })

  it.each([0, 604_801, 1.5, Number.NaN, -1])('refuses an expiry of %s seconds', (expiresSeconds) => {
    const target = { method: 'GET', baseUrl: 'https://h', addressing: 'cname' as const, bucket: 'b', key: 'k' }
    expect(() => presignV4({ ...target, region: 'cn-hangzhou', credentials: KEY, now: CLOCK, expiresSeconds })).toThrow(
      RangeError,
    )
  })

  it('refuses to sign an additional header that has no value', () => {
    const input = { method: 'PUT', bucket: 'b', key: 'k', region: 'cn-hangzhou', credentials: KEY, now: CLOCK }
    expect(() => signHeadersV4({ ...input, additionalHeaders: ['host'] })).toThrow(/host/)
  })

  it('encodes as RFC 3986 asks, and keeps slashes in keys', () => {
    expect(encodeRfc3986("aZ09-_.~ /+!'()*é")).toBe('aZ09-_.~%20%2F%2B%21%27%28%29%2A%C3%A9')
    expect(encodeKey('a/b c')).toBe('a/b%20c')
  })

  it('sorts the query by encoded name and leaves out = where there is no value', () => {
    expect(canonicalQueryV4({ b: '', ä: '1', a: null, 'a-': 'x/y' })).toBe('%C3%A4=1&a&a-=x%2Fy&b')
  })

  it('orders headers by name even where one name begins another, and trims values', () => {
    const lines = canonicalRequestV4({
      method: 'put',
      bucket: 'b',
      key: 'k',
      headers: { 'X-Oss-Meta-A-B': '1', 'x-oss-meta-a': '  2 ', accept: 'never' },
    }).split('\n')
    expect(lines.slice(3, 5)).toEqual(['x-oss-meta-a:2', 'x-oss-meta-a-b:1'])
    expect(lines).toHaveLength(8)
  })

  it('drops from the additional names those that are signed anyway', () => {
    expect(additionalHeaderNames(['Host', 'content-type', 'X-Oss-Date', 'content-length', 'host'])).toEqual([
      'content-length',
      'host',
    ])
  })

  it('writes timestamps without separators or milliseconds', () => {
    expect(timestampV4(new Date('2025-01-15T08:30:00.987Z'))).toBe('20250115T083000Z')
  })

  it('builds URLs for each style of addressing', () => {
    const target = { baseUrl: 'https://example.com', bucket: 'b', key: 'x/ü' }
    expect(ossUrl({ ...target, addressing: 'virtual' })).toBe('https://b.example.com/x/%C3%BC')
    expect(ossUrl({ ...target, addressing: 'cname' })).toBe('https://example.com/x/%C3%BC')
    expect(ossUrl({ ...target, addressing: 'path' }, 'uploads')).toBe('https://example.com/b/x/%C3%BC?uploads')
    expect(ossUrl({ baseUrl: 'https://example.com', addressing: 'virtual' })).toBe('https://example.com/')
  })
})
