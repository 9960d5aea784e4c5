import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { presignV4 } from '../../server/oss/sign-v4.ts'
import { SERVER_KEY, startTestCloud, TEST_BUCKET, TEST_SERVER_POLICY, type TestCloud } from '../support/local-cloud.ts'
import { exchange, type Received, type Sending, send } from './send.ts'

/* The error table of the service, row by row: what is asked, and the status, code, message, EC and elements that answer it. */

const LIMITED_KEY = { accessKeyId: 'LTAI-limited', accessKeySecret: 'limited-secret' }
const PART_BYTES = 102_400

let cloud: TestCloud
let uploadId: string
let etag: string

beforeAll(async () => {
  cloud = await startTestCloud({
    users: [
      { ...SERVER_KEY, userName: 'server', policy: TEST_SERVER_POLICY },
      {
        ...LIMITED_KEY,
        userName: 'limited',
        policy: {
          Version: '1',
          Statement: [
            { Effect: 'Allow', Action: 'oss:PutObject', Resource: `acs:oss:*:*:${TEST_BUCKET}/mine/*` },
            { Effect: 'Deny', Action: 'oss:*', Resource: `acs:oss:*:*:${TEST_BUCKET}/mine/denied` },
          ],
        },
      },
    ],
  })
  await send(cloud.ossUrl, { method: 'PUT', key: 'there', body: 'here' })
  uploadId = await initiate('k')
  const stored = await putPart('k', uploadId, 1, Buffer.alloc(PART_BYTES, 1))
  etag = String(stored.headers.etag)
  await putPart('k', uploadId, 2, Buffer.from('small'))
  await putPart('k', uploadId, 3, Buffer.alloc(PART_BYTES, 3))
})
afterAll(() => cloud.cleanUp())

const initiate = async (key: string, query = {}) =>
  (await send(cloud.ossUrl, { method: 'POST', key, query: { uploads: null, ...query } })).xml('UploadId') ?? ''
const putPart = (key: string, id: string, partNumber: number | string, body: Buffer, headers = {}) =>
  send(cloud.ossUrl, { method: 'PUT', key, query: { partNumber: String(partNumber), uploadId: id }, body, headers })
const complete = (body: string, headers = {}) =>
  ({ method: 'POST', key: 'k', query: { uploadId }, body, headers }) satisfies Sending
const list = (...parts: Array<[number, string]>) =>
  `<CompleteMultipartUpload>${parts
    .map(([number, tag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${tag}</ETag></Part>`)
    .join('')}</CompleteMultipartUpload>`

interface Row {
  when: string
  ask: () => Sending
  status: number
  code: string
  ec?: string
  message?: string | RegExp
  elements?: Record<string, string | (() => string)>
}

const noSuchUpload =
  'The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.'
const partNumberMessage = 'Part number must be an integer between 1 and 10000, inclusive.'
const unknownId = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'

const rows: Row[] = [
  // Objects and buckets
  {
    when: 'an object is not there',
    ask: () => ({ method: 'GET', key: 'nope' }),
    status: 404,
    code: 'NoSuchKey',
    ec: '0026-00000001',
    message: 'The specified key does not exist.',
    elements: { Key: 'nope' },
  },
  {
    when: 'an object is not there, asked by HEAD',
    ask: () => ({ method: 'HEAD', key: 'nope' }),
    status: 404,
    code: 'NoSuchKey',
    ec: '0026-00000001',
    elements: { Key: 'nope' },
  },
  {
    when: 'a bucket is not there',
    ask: () => ({ method: 'GET', bucket: 'not-there', key: 'k' }),
    status: 404,
    code: 'NoSuchBucket',
    ec: '0015-00000101',
    message: 'The specified bucket does not exist.',
    elements: { BucketName: 'not-there' },
  },
  {
    when: 'a bucket name is none',
    ask: () => ({ method: 'PUT', bucket: 'No_Bucket' }),
    status: 400,
    code: 'InvalidBucketName',
    elements: { BucketName: 'No_Bucket' },
  },
  {
    when: 'a key is 1024 bytes long',
    ask: () => ({ method: 'PUT', key: 'é'.repeat(512), body: '' }),
    status: 400,
    code: 'InvalidObjectName',
  },
  {
    when: 'a key begins with a slash',
    ask: () => ({ method: 'PUT', key: '/k', body: '' }),
    status: 400,
    code: 'InvalidObjectName',
  },
  {
    when: 'a key begins with a backslash',
    ask: () => ({ method: 'PUT', key: '\\k', body: '' }),
    status: 400,
    code: 'InvalidObjectName',
  },
  {
    when: 'a key holds NUL',
    ask: () => ({ method: 'PUT', key: 'a\0b', body: '' }),
    status: 400,
    code: 'InvalidObjectName',
  },
  {
    when: 'PutObject is past 5 GB',
    ask: () => ({ method: 'PUT', key: 'x', headers: { 'content-length': '5368709121' } }),
    status: 400,
    code: 'EntityTooLarge',
  },
  {
    when: 'Content-MD5 is not of the body',
    ask: () => ({ method: 'PUT', key: 'x', body: 'hello', headers: { 'content-md5': 'XrY7u+Ae7tCTyyK7j1rNww==' } }),
    status: 400,
    code: 'InvalidDigest',
    ec: '0017-00000503',
  },
  {
    when: 'Content-MD5 is no MD5',
    ask: () => ({ method: 'PUT', key: 'x', body: 'hello', headers: { 'content-md5': 'abc' } }),
    status: 400,
    code: 'InvalidDigest',
    ec: '0017-00000502',
  },
  {
    when: 'an object must not be overwritten',
    ask: () => ({ method: 'PUT', key: 'there', body: 'x', headers: { 'x-oss-forbid-overwrite': 'true' } }),
    status: 409,
    code: 'FileAlreadyExists',
  },
  {
    when: 'a condition stands on a write',
    ask: () => ({
      method: 'PUT',
      key: 'x',
      body: 'x',
      headers: { 'if-modified-since': 'Wed, 15 Jan 2025 08:30:00 GMT' },
    }),
    status: 400,
    code: 'NotImplemented',
    elements: { Header: 'if-modified-since' },
  },
  {
    when: 'an encryption method is unknown',
    ask: () => ({
      method: 'POST',
      key: 'x',
      query: { uploads: null },
      headers: { 'x-oss-server-side-encryption': 'ROT13' },
    }),
    status: 400,
    code: 'InvalidEncryptionAlgorithmError',
  },
  {
    when: 'If-Match does not',
    ask: () => ({ method: 'GET', key: 'there', headers: { 'if-match': '"AA"' } }),
    status: 412,
    code: 'PreconditionFailed',
  },
  {
    when: 'a range cannot be served and standard behaviour is asked for',
    ask: () => ({ method: 'GET', key: 'there', headers: { range: 'bytes=9-', 'x-oss-range-behavior': 'standard' } }),
    status: 416,
    code: 'InvalidRange',
  },
  {
    when: 'metadata is past 8 KB',
    ask: () => ({ method: 'PUT', key: 'x', body: '', headers: { 'x-oss-meta-a': 'a'.repeat(8192) } }),
    status: 400,
    code: 'MetadataTooLarge',
  },
  {
    when: 'metadata has a bad name',
    ask: () => ({ method: 'PUT', key: 'x', body: '', headers: { 'x-oss-meta-a_b': 'a' } }),
    status: 400,
    code: 'InvalidArgument',
  },
  // Parts
  ...['0', '10001', '1.5', '-1', 'abc', '1e3', '99999999999999999999'].map(
    (partNumber): Row => ({
      when: `a part number is ${partNumber}`,
      ask: () => ({ method: 'PUT', key: 'k', query: { partNumber, uploadId }, body: '' }),
      status: 400,
      code: 'InvalidArgument',
      ec: '0017-00000220',
      message: partNumberMessage,
      elements: { ArgumentName: 'PartNumber', ArgumentValue: partNumber },
    }),
  ),
  {
    when: 'a part number is missing',
    ask: () => ({ method: 'PUT', key: 'k', query: { uploadId }, body: '' }),
    status: 400,
    code: 'InvalidArgument',
    ec: '0017-00000219',
    message: 'Unexpected query string parameter',
    elements: { ArgumentName: 'ResourceType', ArgumentValue: 'partNumber' },
  },
  {
    when: 'a part number is empty',
    ask: () => ({ method: 'PUT', key: 'k', query: { partNumber: null, uploadId }, body: '' }),
    status: 400,
    code: 'InvalidArgument',
    ec: '0017-00000219',
  },
  {
    when: 'a part is of no upload',
    ask: () => ({ method: 'PUT', key: 'k', query: { partNumber: '1', uploadId: unknownId }, body: '' }),
    status: 404,
    code: 'NoSuchUpload',
    ec: '0042-00000104',
    message: noSuchUpload,
    elements: { UploadId: unknownId },
  },
  {
    when: 'an upload id belongs to another key',
    ask: () => ({ method: 'PUT', key: 'other', query: { partNumber: '1', uploadId }, body: '' }),
    status: 404,
    code: 'NoSuchUpload',
    ec: '0042-00000104',
  },
  {
    when: 'a part is past 5 GB',
    ask: () => ({
      method: 'PUT',
      key: 'k',
      query: { partNumber: '1', uploadId },
      headers: { 'content-length': '5368709121' },
    }),
    status: 400,
    code: 'EntityTooLarge',
  },
  {
    when: 'a part carries encryption',
    ask: () => ({
      method: 'PUT',
      key: 'k',
      query: { partNumber: '1', uploadId },
      body: '',
      headers: { 'x-oss-server-side-encryption': 'AES256' },
    }),
    status: 400,
    code: 'InvalidArgument',
  },
  {
    when: 'a copied part is of no upload',
    ask: () => ({
      method: 'PUT',
      key: 'k',
      query: { partNumber: '1', uploadId: unknownId },
      headers: { 'x-oss-copy-source': `/${TEST_BUCKET}/there` },
    }),
    status: 404,
    code: 'NoSuchUpload',
    ec: '0042-00000311',
  },
  {
    when: 'a copied part has no source',
    ask: () => ({
      method: 'PUT',
      key: 'k',
      query: { partNumber: '1', uploadId },
      headers: { 'x-oss-copy-source': `/${TEST_BUCKET}/nope` },
    }),
    status: 404,
    code: 'NoSuchKey',
  },
  {
    when: 'a copy names no source',
    ask: () => ({ method: 'PUT', key: 'x', headers: { 'x-oss-copy-source': 'nonsense' } }),
    status: 400,
    code: 'InvalidArgument',
  },
  {
    when: 'the source of a copy has changed',
    ask: () => ({
      method: 'PUT',
      key: 'x',
      headers: { 'x-oss-copy-source': `/${TEST_BUCKET}/there`, 'x-oss-copy-source-if-match': '"AA"' },
    }),
    status: 412,
    code: 'PreconditionFailed',
  },
  {
    when: 'parts of no upload are listed',
    ask: () => ({ method: 'GET', key: 'k', query: { uploadId: unknownId } }),
    status: 404,
    code: 'NoSuchUpload',
    ec: '0042-00000002',
  },
  ...['0', '1001', '-1', 'x'].map(
    (max): Row => ({
      when: `max-parts is ${max}`,
      ask: () => ({ method: 'GET', key: 'k', query: { uploadId, 'max-parts': max } }),
      status: 400,
      code: 'InvalidArgument',
    }),
  ),
  {
    when: 'an encoding type is unknown',
    ask: () => ({ method: 'GET', key: 'k', query: { uploadId, 'encoding-type': 'base64' } }),
    status: 400,
    code: 'InvalidArgument',
  },
  {
    when: 'no upload is aborted',
    ask: () => ({ method: 'DELETE', key: 'k', query: { uploadId: unknownId } }),
    status: 404,
    code: 'NoSuchUpload',
    ec: '0042-00000002',
  },
  // Complete
  {
    when: 'no upload is completed',
    ask: () => ({ ...complete(list([1, 'x'])), query: { uploadId: unknownId } }),
    status: 404,
    code: 'NoSuchUpload',
    ec: '0042-00000203',
  },
  {
    when: 'a listed part is not there',
    ask: () => complete(list([1, etag], [4, etag])),
    status: 400,
    code: 'InvalidPart',
    message: /^One or more of the specified parts/,
    elements: { UploadId: () => uploadId, PartNumber: '4' },
  },
  {
    when: 'a listed ETag is wrong',
    ask: () => complete(list([1, '"undefined"'])),
    status: 400,
    code: 'InvalidPart',
    elements: { PartNumber: '1', ETag: 'undefined' },
  },
  {
    when: 'parts are out of order',
    ask: () => complete(list([3, etag], [1, etag])),
    status: 400,
    code: 'InvalidPartOrder',
    ec: '0042-00000209',
    message: 'The list of parts was not in ascending order. Parts list must specified in order by part number.',
  },
  {
    when: 'a part is listed twice',
    ask: () => complete(list([1, etag], [1, etag])),
    status: 400,
    code: 'InvalidPartOrder',
    ec: '0042-00000209',
  },
  {
    when: 'a part before the last is small',
    ask: () => ({ ...complete(''), headers: { 'x-oss-complete-all': 'yes' } }),
    status: 400,
    code: 'EntityTooSmall',
    ec: '0042-00000213',
    elements: { PartNumber: '2' },
  },
  {
    when: 'complete-all comes with a list',
    ask: () => complete(list([1, etag]), { 'x-oss-complete-all': 'yes' }),
    status: 400,
    code: 'InvalidArgument',
    ec: '0042-00000216',
    message: 'Should not speficy both complete all header and http body.',
    elements: { ArgumentName: 'x-oss-complete-all', ArgumentValue: 'yes' },
  },
  ...[
    '',
    'no xml',
    '<a>',
    '<CompleteMultipartUpload/>',
    '<CompleteMultipartUpload><Part/></CompleteMultipartUpload>',
    '<!DOCTYPE a [<!ENTITY b "c">]><CompleteMultipartUpload>&b;</CompleteMultipartUpload>',
    '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>&unknown;</ETag></Part></CompleteMultipartUpload>',
    '<Delete></Delete>',
    `${'<a>'.repeat(10_000)}`,
  ].map(
    (body): Row => ({
      when: `the list is ${JSON.stringify(body.slice(0, 60))}`,
      ask: () => complete(body),
      status: 400,
      code: 'MalformedXML',
      ec: '0042-00000205',
      message: 'The XML you provided was not well-formed or did not validate against our published schema.',
    }),
  ),
  {
    when: 'the list is not what Content-MD5 says',
    ask: () => complete(list([1, etag]), { 'content-md5': 'XrY7u+Ae7tCTyyK7j1rNww==' }),
    status: 400,
    code: 'InvalidDigest',
  },
  {
    when: 'the list has ten megabytes',
    ask: () => complete(`<CompleteMultipartUpload>${' '.repeat(10_000_000)}</CompleteMultipartUpload>`),
    status: 400,
    code: 'EntityTooLarge',
  },
  // What is not there at all
  {
    when: 'tags are put',
    ask: () => ({ method: 'PUT', key: 'x', query: { tagging: null }, body: '<Tagging/>' }),
    status: 501,
    code: 'NotImplemented',
  },
  {
    when: 'an object is appended to',
    ask: () => ({ method: 'POST', key: 'x', query: { append: null, position: '0' }, body: 'x' }),
    status: 501,
    code: 'NotImplemented',
  },
  {
    when: 'an operation is asked for a callback that has none',
    ask: () => ({ method: 'POST', key: 'x', query: { uploads: null }, headers: { 'x-oss-callback': 'e30=' } }),
    status: 501,
    code: 'NotImplemented',
  },
  {
    when: 'a website is configured',
    ask: () => ({ method: 'PUT', query: { website: null }, body: '<a/>' }),
    status: 501,
    code: 'NotImplemented',
  },
  {
    when: 'a method means nothing',
    ask: () => ({ method: 'PATCH', key: 'x', body: 'x' }),
    status: 501,
    code: 'NotImplemented',
  },
  {
    when: 'two operations are named at once',
    ask: () => ({ method: 'GET', query: { acl: null, cors: null } }),
    status: 501,
    code: 'NotImplemented',
  },
  // Bucket settings
  {
    when: 'no lifecycle is set',
    ask: () => ({ method: 'GET', query: { lifecycle: null } }),
    status: 404,
    code: 'NoSuchLifecycle',
    message: 'No Row found in Lifecycle Table.',
    elements: { BucketName: TEST_BUCKET },
  },
  {
    when: 'no CORS is set',
    ask: () => ({ method: 'GET', query: { cors: null } }),
    status: 404,
    code: 'NoSuchCORSConfiguration',
  },
  ...['<Days>0</Days>', '<Days>1.5</Days>', '<CreatedBeforeDate>2025-01-01T01:00:00.000Z</CreatedBeforeDate>'].map(
    (rule): Row => ({
      when: `a lifecycle rule says ${rule}`,
      ask: () => ({
        method: 'PUT',
        query: { lifecycle: null },
        body: `<LifecycleConfiguration><Rule><Status>Enabled</Status><AbortMultipartUpload>${rule}</AbortMultipartUpload></Rule></LifecycleConfiguration>`,
      }),
      status: 400,
      code: 'InvalidArgument',
    }),
  ),
  {
    when: 'lifecycle rules overlap',
    ask: () => ({
      method: 'PUT',
      query: { lifecycle: null },
      body: `<LifecycleConfiguration>${['', 'a/'].map((prefix) => `<Rule><Prefix>${prefix}</Prefix><Status>Enabled</Status><AbortMultipartUpload><Days>1</Days></AbortMultipartUpload></Rule>`).join('')}</LifecycleConfiguration>`,
    }),
    status: 400,
    code: 'InvalidArgument',
  },
  {
    when: 'an ACL is unknown',
    ask: () => ({ method: 'PUT', query: { acl: null }, headers: { 'x-oss-acl': 'everybody' } }),
    status: 400,
    code: 'InvalidArgument',
  },
  // Rights
  {
    when: 'nobody signed',
    ask: () => ({ method: 'GET', key: 'there', sign: 'none' }),
    status: 403,
    code: 'AccessDenied',
    message: 'You have no right to access this object because of bucket acl.',
  },
  {
    when: 'the key is unknown',
    ask: () => ({ method: 'GET', key: 'there', credentials: { accessKeyId: 'nobody', accessKeySecret: 'x' } }),
    status: 403,
    code: 'InvalidAccessKeyId',
    ec: '0002-00000902',
    message: 'The OSS Access Key Id you provided does not exist in our records.',
    elements: { OSSAccessKeyId: 'nobody' },
  },
  {
    when: 'the secret is wrong',
    ask: () => ({ method: 'GET', key: 'there', credentials: { ...SERVER_KEY, accessKeySecret: 'x' } }),
    status: 403,
    code: 'SignatureDoesNotMatch',
    ec: '0002-00000201',
    elements: { OSSAccessKeyId: SERVER_KEY.accessKeyId },
  },
  {
    when: 'the clock is 16 minutes behind',
    ask: () => ({ method: 'GET', key: 'there', now: new Date(Date.now() - 16 * 60_000) }),
    status: 403,
    code: 'RequestTimeTooSkewed',
    ec: '0002-00000504',
    elements: { MaxAllowedSkewMilliseconds: '900000' },
  },
  {
    when: 'a URL has expired',
    ask: () => ({ method: 'GET', key: 'there', sign: 'query', expiresSeconds: 1, now: new Date(Date.now() - 10_000) }),
    status: 403,
    code: 'AccessDenied',
    ec: '0002-00000236',
    message: 'Request has expired.',
  },
  {
    when: 'the region is another',
    ask: () => ({ method: 'GET', key: 'there', region: 'cn-beijing' }),
    status: 400,
    code: 'InvalidArgument',
    ec: '0002-00000226',
    message: 'Invalid signing region in Authorization header.',
  },
  {
    when: 'a right is missing',
    ask: () => ({ method: 'GET', key: 'mine/a', credentials: LIMITED_KEY }),
    status: 403,
    code: 'AccessDenied',
    elements: {
      AuthAction: 'oss:GetObject',
      AuthPrincipalType: 'SubUser',
      NoPermissionType: 'ImplicitDeny',
      AuthPrincipalDisplayName: 'limited',
    },
  },
  {
    when: 'a right is denied',
    ask: () => ({ method: 'PUT', key: 'mine/denied', body: '', credentials: LIMITED_KEY }),
    status: 403,
    code: 'AccessDenied',
    ec: '0003-00000201',
    elements: { NoPermissionType: 'ExplicitDeny' },
  },
  {
    when: 'a bucket is listed without the right',
    ask: () => ({ method: 'GET', credentials: LIMITED_KEY }),
    status: 403,
    code: 'AccessDenied',
    elements: { AuthAction: 'oss:ListObjects' },
  },
  {
    when: 'many objects are deleted without the right to one',
    ask: () => ({
      method: 'POST',
      query: { delete: null },
      credentials: LIMITED_KEY,
      body: '<Delete><Object><Key>there</Key></Object></Delete>',
    }),
    status: 403,
    code: 'AccessDenied',
    elements: { AuthAction: 'oss:DeleteObject' },
  },
  {
    when: 'a copy reads what its maker may not',
    ask: () => ({
      method: 'PUT',
      key: 'mine/a',
      credentials: LIMITED_KEY,
      headers: { 'x-oss-copy-source': `/${TEST_BUCKET}/there` },
    }),
    status: 403,
    code: 'AccessDenied',
    elements: { AuthAction: 'oss:GetObject' },
  },
]

const raw = (text: string) =>
  new Promise<string>((resolve, reject) => {
    const { port } = new URL(cloud.ossUrl)
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(text))
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
  })
const close = 'Host: h\r\nConnection: close\r\n'

function checkShape(answer: Received, row: { code: string; ec?: string | undefined }) {
  expect(answer.headers.server).toBe('AliyunOSS')
  expect(answer.headers['x-oss-request-id']).toMatch(/^[0-9A-F]{24}$/)
  expect(answer.headers['x-oss-server-time']).toMatch(/^\d+$/)
  expect(Date.parse(String(answer.headers.date))).not.toBeNaN()
  expect(answer.xml('RequestId')).toBe(answer.headers['x-oss-request-id'])
  expect(answer.xml('HostId')).toBe(new URL(cloud.ossUrl).host)
  expect(answer.error.code).toBe(row.code)
  if (row.ec === undefined) return
  expect(answer.headers['x-oss-ec']).toBe(row.ec)
  expect(answer.error.ec).toBe(row.ec)
  expect(answer.xml('RecommendDoc')).toBe(`https://api.aliyun.com/troubleshoot?q=${row.ec}`)
}

describe('an error', () => {
  it.each(rows)('answers $status $code when $when', async (row) => {
    const answer = await send(cloud.ossUrl, row.ask())
    expect([answer.status, answer.error.code]).toEqual([row.status, row.code])
    checkShape(answer, row)
    if (row.message !== undefined) expect(answer.error.message).toMatch(row.message)
    for (const [name, value] of Object.entries(row.elements ?? {})) {
      expect(answer.xml(name)).toBe(typeof value === 'string' ? value : value())
    }
  })

  it.each([
    ['PutObject', {}],
    ['UploadPart', { partNumber: '1' }],
  ])('answers 411 when %s says nothing of its length', async (_, query) => {
    const url = new URL(
      presignV4({
        method: 'PUT',
        baseUrl: cloud.ossUrl,
        addressing: 'path',
        bucket: TEST_BUCKET,
        key: 'k',
        region: 'cn-hangzhou',
        credentials: SERVER_KEY,
        now: new Date(),
        expiresSeconds: 60,
        query: { ...query, ...('partNumber' in query ? { uploadId } : {}) },
      }),
    )
    const answer = await raw(`PUT ${url.pathname}${url.search} HTTP/1.1\r\n${close}\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 411 /)
    expect(answer).toContain('<Code>MissingContentLength</Code>')
  })

  it('leaves nothing changed behind it', async () => {
    const parts = await send(cloud.ossUrl, { method: 'GET', key: 'k', query: { uploadId } })
    expect(parts.text.match(/<PartNumber>/g)).toHaveLength(3)
    const objects = await send(cloud.ossUrl, { method: 'GET' })
    expect(objects.text.match(/<Key>(.*?)<\/Key>/g)).toEqual(['<Key>there</Key>'])
  })
})

describe('what is no proper request', () => {
  it.each([
    ['no HTTP at all', 'hello\r\n\r\n', 'BadRequest'],
    [
      'headers past all limits',
      `GET / HTTP/1.1\r\nHost: h\r\nX: ${'a'.repeat(70_000)}\r\n\r\n`,
      'RequestHeaderSectionTooLarge',
    ],
    ['bad percent-encoding in the key', `GET /${TEST_BUCKET}/%zz HTTP/1.1\r\n${close}\r\n`, 'InvalidObjectName'],
    ['half a character in the key', `GET /${TEST_BUCKET}/%C3 HTTP/1.1\r\n${close}\r\n`, 'InvalidObjectName'],
    ['%00 in the key', `GET /${TEST_BUCKET}/a%00b HTTP/1.1\r\n${close}\r\n`, 'InvalidObjectName'],
    [
      'bad percent-encoding in the query',
      `GET /${TEST_BUCKET}/a?x=%E0%A4%A HTTP/1.1\r\n${close}\r\n`,
      'InvalidArgument',
    ],
    ['bad percent-encoding in the bucket', `GET /%zz/a HTTP/1.1\r\n${close}\r\n`, 'InvalidBucketName'],
    [
      'two content lengths',
      `PUT /${TEST_BUCKET}/a HTTP/1.1\r\n${close}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`,
      'BadRequest',
    ],
    ['a negative content length', `PUT /${TEST_BUCKET}/a HTTP/1.1\r\n${close}Content-Length: -1\r\n\r\n`, 'BadRequest'],
    [
      'ten thousand parameters',
      `GET /${TEST_BUCKET}/a?${'a&'.repeat(10_000)} HTTP/1.1\r\n${close}\r\n`,
      'AccessDenied',
    ],
    [
      'the host of another region',
      `GET /k HTTP/1.1\r\nHost: b.oss-cn-beijing.aliyuncs.com\r\nConnection: close\r\n\r\n`,
      'AccessDenied',
    ],
    ['an absolute target', `GET http://h/${TEST_BUCKET}/a HTTP/1.1\r\n${close}\r\n`, 'AccessDenied'],
  ])('gets an OSS error for %s', async (_, text, code) => {
    const answer = await raw(text)
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer).toContain(`<Code>${code}</Code>`)
    expect(answer).toMatch(/x-oss-request-id: [0-9A-F]{24}/)
  })

  it('never stops the cloud', async () => {
    expect((await send(cloud.ossUrl, { method: 'GET', key: 'there' })).text).toBe('here')
  })
})

describe('strict addressing', () => {
  it('refuses path style when told to, and takes CNAMEs and bucket hosts', async () => {
    const strict = await startTestCloud({ forbidPathStyle: true, cnames: { 'static.example.com': TEST_BUCKET } })
    try {
      const path = await send(strict.ossUrl, { method: 'GET', key: 'k' })
      expect(path.error).toMatchObject({
        code: 'SecondLevelDomainForbidden',
        message: 'Please use virtual hosted style to access.',
      })
      for (const host of [
        'static.example.com',
        `${TEST_BUCKET}.oss-cn-hangzhou.aliyuncs.com`,
        `${TEST_BUCKET}.localhost:1`,
        `${TEST_BUCKET}.oss-cn-hangzhou-internal.aliyuncs.com`,
        `${TEST_BUCKET}.oss-accelerate.aliyuncs.com`,
      ]) {
        const answer = await exchange(`${strict.ossUrl}/k`, 'GET', { host }, undefined)
        expect([host, answer.error.code]).toEqual([host, 'AccessDenied'])
      }
    } finally {
      await strict.cleanUp()
    }
  })
})
