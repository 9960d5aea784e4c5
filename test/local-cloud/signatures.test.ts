import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { OssError } from '../../server/local-cloud/oss-error.ts'
import { type OssRequest, parseRequest } from '../../server/local-cloud/oss-request.ts'
import { verifySignature } from '../../server/local-cloud/verify-signature.ts'
import { stringToSignV1 } from '../../server/local-cloud/verify-v1.ts'
import { CLOCK, headerVectors, KEY, presignVectors, TOKEN } from './vectors-v4.ts'

const MINUTE = 60_000

function readRequest(method: string, url: string, headers: Record<string, string> = {}): OssRequest {
  const { host, pathname, search } = new URL(url)
  const incoming = new IncomingMessage(new Socket())
  incoming.method = method
  // As it stands in the text: URL would decode nothing, but could normalise.
  incoming.url = url.slice(url.indexOf(host) + host.length) || pathname + search
  const sent = { host, ...headers }
  for (const [name, value] of Object.entries(sent)) {
    incoming.rawHeaders.push(name, value)
    incoming.headers[name.toLowerCase()] = value
  }
  const options = { region: 'cn-hangzhou', cnames: new Map(), hostSuffixes: [], forbidPathStyle: false }
  return parseRequest(options, incoming, 'TEST')
}

/** Knows the vectors' key, and that the token belongs to it. */
function verify(request: OssRequest, now = CLOCK, signatureV1 = true) {
  const findKey = () => ({
    identity: { kind: 'user' as const, accessKeyId: KEY.accessKeyId, arn: 'test', policies: [] },
    accessKeySecret: KEY.accessKeySecret,
  })
  return verifySignature({ findKey, region: 'cn-hangzhou', now, signatureV1 }, request)
}

function refusal(request: OssRequest, now = CLOCK, signatureV1 = true) {
  try {
    verify(request, now, signatureV1)
  } catch (error) {
    if (error instanceof OssError) return { status: error.status, code: error.code, ec: error.ec, error }
    throw error
  }
  throw new Error('the request was accepted')
}

const mismatch = { status: 403, code: 'SignatureDoesNotMatch', ec: '0002-00000201' }
const vector = (name: string) => {
  const found = presignVectors.find((candidate) => candidate.name === name)
  if (!found) throw new Error(`no vector ${name}`)
  return found
}

describe('the verifier of V4 URLs', () => {
  it.each(presignVectors)('accepts vector $name', ({ method, url, headers }) => {
    expect(verify(readRequest(method, url, headers))?.accessKeyId).toBe(KEY.accessKeyId)
  })

  it.each(presignVectors)('accepts vector $name under path style', ({ method, url, headers }) => {
    if (headers.host) return
    const path = url.replace(
      'https://examplebucket.oss-cn-hangzhou.aliyuncs.com/',
      'http://127.0.0.1:9000/examplebucket/',
    )
    expect(verify(readRequest(method, path, headers))?.accessKeyId).toBe(KEY.accessKeyId)
  })

  it('explains a mismatch with the canonical request it computed', () => {
    const { method, url, canonical } = vector('P1')
    const { error } = refusal(readRequest(method, url, { 'content-type': 'text/plain' }))
    const elements = Object.fromEntries(error.elements)
    const lines = [...canonical]
    lines.splice(3, 0, 'content-type:text/plain')
    expect(elements.CanonicalRequest).toBe(lines.join('\n'))
    expect(elements.StringToSign).toMatch(/^OSS4-HMAC-SHA256\n20250115T083000Z\n20250115\/cn-hangzhou/)
    expect(elements.OSSAccessKeyId).toBe(KEY.accessKeyId)
  })

  it.each([
    ['the security token is dropped', vector('P2').url.replace(/x-oss-security-token=[^&]*&/, ''), {}],
    ['a Content-Type is added', vector('P1').url, { 'content-type': 'application/octet-stream' }],
    ['an x-oss-* header is added', vector('P1').url, { 'x-oss-meta-a': '1' }],
    ['Content-MD5 differs', vector('P3').url, { ...vector('P3').headers, 'Content-MD5': 'AAAAAAAAAAAAAAAAAAAAAA==' }],
    ['Content-MD5 is absent', vector('P3').url, { 'Content-Type': 'application/octet-stream' }],
    ['Content-Length differs', vector('P5').url, { ...vector('P5').headers, 'content-length': '5242881' }],
    ['Content-Length is absent', vector('P5').url, { host: vector('P5').headers.host ?? '' }],
    ['the part number is changed', vector('P1').url.replace('partNumber=1', 'partNumber=2'), {}],
    ['the key is changed', vector('P1').url.replace('video.bin', 'video.bim'), {}],
    ['a parameter is added', `${vector('P1').url}&x=1`, {}],
  ])('refuses when %s', (_, url, headers) => {
    expect(refusal(readRequest('PUT', url, headers))).toMatchObject(mismatch)
  })

  it('refuses another method', () => {
    expect(refusal(readRequest('GET', vector('P1').url))).toMatchObject(mismatch)
  })

  it.each([
    ['20 minutes early', -20 * MINUTE, '0002-00000235'],
    ['after its life', 3_601_000, '0002-00000236'],
  ])('refuses a URL %s', (_, offsetMs, ec) => {
    const { method, url } = vector('P1')
    const answer = refusal(readRequest(method, url), new Date(CLOCK.getTime() + offsetMs))
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied', ec })
  })

  it.each([
    ['14 minutes early', -14 * MINUTE],
    ['at its last moment', 3_600_000],
  ])('accepts a URL %s', (_, offsetMs) => {
    const { method, url } = vector('P1')
    expect(verify(readRequest(method, url), new Date(CLOCK.getTime() + offsetMs))).not.toBeNull()
  })

  it.each([
    ['an expiry past seven days', 'x-oss-expires=3600', 'x-oss-expires=604801', '0002-00000232'],
    ['an expiry of zero', 'x-oss-expires=3600', 'x-oss-expires=0', '0002-00000232'],
    ['another region', 'cn-hangzhou%2Foss', 'cn-beijing%2Foss', '0002-00000226'],
    ['a region with oss-', 'cn-hangzhou%2Foss', 'oss-cn-hangzhou%2Foss', '0002-00000226'],
    ['another product', '%2Foss%2F', '%2Fecs%2F', '0002-00000227'],
    ['no credential', /x-oss-credential=[^&]*&/, '', '0002-00000217'],
    ['a blank credential', /x-oss-credential=[^&]*/, 'x-oss-credential=', '0002-00000218'],
    ['a bad key id', 'LTAI-example', 'LTAI%20example', '0002-00000206'],
    ['empty additional headers', 'x-oss-date', 'x-oss-additional-headers=&x-oss-date', '0002-00000209'],
    ['an empty additional name', 'x-oss-date', 'x-oss-additional-headers=a%3B%3Bb&x-oss-date', '0002-00000210'],
  ])('answers 400 to %s', (_, from, to, ec) => {
    const { method, url } = vector('P1')
    expect(refusal(readRequest(method, url.replace(from, to)))).toMatchObject({
      status: 400,
      code: 'InvalidArgument',
      ec,
    })
  })

  it('answers 400 to a payload hash that is not UNSIGNED-PAYLOAD', () => {
    const { method, url } = vector('P1')
    const answer = refusal(readRequest(method, url, { 'x-oss-content-sha256': 'abc' }))
    expect(answer).toMatchObject({ status: 400, ec: '0002-00000214' })
  })
})

describe('the verifier of V4 headers', () => {
  const sent = (item: (typeof headerVectors)[number]) => ({
    'x-oss-date': '20250115T083000Z',
    'x-oss-content-sha256': 'UNSIGNED-PAYLOAD',
    ...(item.token ? { 'x-oss-security-token': item.token } : {}),
    ...item.headers,
    Authorization: item.authorization,
  })

  it.each(headerVectors)('accepts vector $name', (item) => {
    expect(verify(readRequest(item.method, item.url, sent(item)))).not.toBeNull()
  })

  it.each(headerVectors)('accepts vector $name with spaces after the commas', (item) => {
    const headers = { ...sent(item), Authorization: item.authorization.replaceAll(',', ', ') }
    expect(verify(readRequest(item.method, item.url, headers))).not.toBeNull()
  })

  it.each(headerVectors)('refuses vector $name when a signed header changes', (item) => {
    const headers = { ...sent(item), 'x-oss-date': '20250115T083001Z' }
    expect(refusal(readRequest(item.method, item.url, headers))).toMatchObject(mismatch)
  })

  it.each(headerVectors)('refuses vector $name 16 minutes late', (item) => {
    const answer = refusal(readRequest(item.method, item.url, sent(item)), new Date(CLOCK.getTime() + 16 * MINUTE))
    expect(answer).toMatchObject({ status: 403, code: 'RequestTimeTooSkewed', ec: '0002-00000504' })
  })

  it('refuses a signing date that is not the day of x-oss-date', () => {
    const [item] = headerVectors
    if (!item) throw new Error('no vector')
    const headers = { ...sent(item), Authorization: item.authorization.replace('20250115', '20250114') }
    const { error } = refusal(readRequest(item.method, item.url, headers))
    expect(error.message).toBe('Invalid signing date in Authorization header.')
    expect(error.status).toBe(400)
  })

  it('refuses a signature in both places', () => {
    const [item] = headerVectors
    if (!item) throw new Error('no vector')
    const answer = refusal(readRequest('PUT', vector('P1').url, sent(item)))
    expect(answer).toMatchObject({ status: 400, code: 'InvalidArgument' })
  })

  it.each(['Bearer abc', 'OSS4-HMAC-SHA256', 'OSS abc', 'OSS4-HMAC-SHA256 Credential=a'])(
    'answers 400 to the malformed Authorization %s',
    (authorization) => {
      const request = readRequest('GET', 'http://127.0.0.1/b123/k', { authorization })
      expect(refusal(request)).toMatchObject({ status: 400, code: 'InvalidArgument' })
    },
  )

  it('takes an unsigned request for anonymous', () => {
    expect(verify(readRequest('GET', 'http://127.0.0.1/b123/k'))).toBeNull()
  })
})

const host = 'https://examplebucket.oss-cn-hangzhou.aliyuncs.com'
const upload = 'uploadId=0004B9895DBBB6EC98E36EXAMPLE0001'
const dated = { 'x-oss-date': 'Wed, 15 Jan 2025 08:30:00 GMT' }
const v1Vectors = [
  {
    name: 'V1-H1',
    method: 'POST',
    url: `${host}/uploads/%E7%9B%AE%E5%BD%95%20a.bin?uploads=`,
    headers: {
      ...dated,
      'x-oss-security-token': TOKEN,
      'Content-Type': 'video/mp4',
      Authorization: 'OSS LTAI-example:X+D//p0EEhafpbm5gphnlQnCq6Y=',
    },
    date: dated['x-oss-date'],
    stringToSign: `POST\n\nvideo/mp4\n${dated['x-oss-date']}\nx-oss-date:${dated['x-oss-date']}\nx-oss-security-token:${TOKEN}\n/examplebucket/uploads/目录 a.bin?uploads`,
  },
  {
    name: 'V1-H2',
    method: 'PUT',
    url: `${host}/uploads/video.bin?partNumber=1&${upload}`,
    headers: {
      ...dated,
      'Content-MD5': 'XrY7u+Ae7tCTyyK7j1rNww==',
      'Content-Type': 'application/octet-stream',
      Authorization: 'OSS LTAI-example:Pvzp1vhxTtA3Ak2gldAt6wKqRoc=',
    },
    date: dated['x-oss-date'],
    stringToSign: `PUT\nXrY7u+Ae7tCTyyK7j1rNww==\napplication/octet-stream\n${dated['x-oss-date']}\nx-oss-date:${dated['x-oss-date']}\n/examplebucket/uploads/video.bin?partNumber=1&${upload}`,
  },
  {
    name: 'V1-U1',
    method: 'PUT',
    url: `${host}/uploads/video.bin?OSSAccessKeyId=LTAI-example&Expires=1736930700&Signature=%2BxnneZzbXSRZwzPZsxxUg8I13v8%3D&partNumber=1&${upload}&security-token=CAISexample%2Ftoken%2Bwith%3Dchars`,
    headers: { 'Content-Type': 'application/octet-stream' },
    date: '1736930700',
    stringToSign: `PUT\n\napplication/octet-stream\n1736930700\n/examplebucket/uploads/video.bin?partNumber=1&security-token=${TOKEN}&${upload}`,
  },
  {
    name: 'V1-U2',
    method: 'GET',
    url: `${host}/uploads/video.bin?OSSAccessKeyId=LTAI-example&Expires=1736930700&Signature=2wqoc8Z7eLq43Idj4f2vhJOt2qI%3D`,
    headers: {},
    date: '1736930700',
    stringToSign: 'GET\n\n\n1736930700\n/examplebucket/uploads/video.bin',
  },
]

describe('the verifier of V1 signatures', () => {
  it.each(v1Vectors)('accepts vector $name', ({ method, url, headers, date, stringToSign }) => {
    const request = readRequest(method, url, headers as Record<string, string>)
    expect(stringToSignV1(request, date)).toBe(stringToSign)
    expect(verify(request)).not.toBeNull()
  })

  it.each(v1Vectors)('refuses vector $name for another key', ({ method, url, headers }) => {
    const request = readRequest(method, url.replace('/uploads/', '/uploadz/'), headers as Record<string, string>)
    expect(refusal(request)).toMatchObject({ code: 'SignatureDoesNotMatch', ec: '0002-00000040' })
  })

  it.each(v1Vectors)('refuses vector $name where V1 is switched off', ({ method, url, headers }) => {
    const request = readRequest(method, url, headers as Record<string, string>)
    expect(refusal(request, CLOCK, false)).toMatchObject({ status: 403, ec: '0002-00000080' })
  })

  it('refuses an expired URL before it looks at the signature', () => {
    const url = v1Vectors[3]?.url.replace('Signature=2', 'Signature=3') ?? ''
    const answer = refusal(readRequest('GET', url), new Date(1736930701_000))
    expect(answer).toMatchObject({ status: 403, code: 'AccessDenied', ec: '0002-00000069' })
    expect(Object.fromEntries(answer.error.elements).Expires).toBe('2025-01-15T08:45:00.000Z')
  })

  it.each(['OSSAccessKeyId=a&Signature=b', 'OSSAccessKeyId=a&Expires=1', 'Signature=b&Expires=1'])(
    'refuses a URL with only %s',
    (query) => {
      const answer = refusal(readRequest('GET', `${host}/k?${query}`))
      expect(answer).toMatchObject({ status: 403, code: 'AccessDenied', ec: '0002-00000067' })
    },
  )

  it('refuses a header signature 16 minutes late or without a date', () => {
    const [item] = v1Vectors
    const headers = item?.headers as Record<string, string>
    const late = refusal(readRequest('POST', item?.url ?? '', headers), new Date(CLOCK.getTime() + 16 * MINUTE))
    expect(late).toMatchObject({ code: 'RequestTimeTooSkewed' })
    const { 'x-oss-date': _, ...undated } = headers
    expect(refusal(readRequest('POST', item?.url ?? '', undated))).toMatchObject({ status: 403, code: 'AccessDenied' })
  })
})
