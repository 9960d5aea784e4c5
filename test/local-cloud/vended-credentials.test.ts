import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { COPYING, ROUTES } from '../../server/local-cloud/verbs/route.ts'
import { createApi, createFor, MiB, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { ROOT_KEY, TEST_BUCKET } from '../support/local-cloud.ts'
import { type Received, type Sending, send } from './send.ts'

/* Every operation that the local cloud has, taken from its own table, tried with vended credentials on the own key and on others. */

const OTHER_BUCKET = 'somebody-elses'
const allowed = [
  'PutObject',
  'InitiateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'ListParts',
  'AbortMultipartUpload',
]

interface Operation {
  name: string
  level: 'service' | 'bucket' | 'object'
  method: string
  subresource: string
  isCopy: boolean
}

/** The table, and the operations that a header or a parameter turns into others. */
function operations(): Operation[] {
  const listed = (Object.entries(ROUTES) as [Operation['level'], (typeof ROUTES)['object']][]).flatMap(
    ([level, methods]) =>
      Object.entries(methods).flatMap(([method, subresources]) =>
        Object.entries(subresources).flatMap(([subresource, verb]) => {
          const operation = { name: verb.name, level, method, subresource, isCopy: false }
          const copying = COPYING.get(verb)
          return copying ? [operation, { ...operation, name: copying.name, isCopy: true }] : [operation]
        }),
      ),
  )
  return [
    ...listed,
    { name: 'ListObjectsV2', level: 'bucket', method: 'GET', subresource: 'list-type', isCopy: false },
    { name: 'PutObject with an ACL', level: 'object', method: 'PUT', subresource: '', isCopy: false },
  ]
}

interface Target {
  bucket: string
  key: string
}
type Credentials = Required<NonNullable<Sending['credentials']>>

let app: TestApp
let own: Target
let vended: Credentials
let direct: Credentials & { prefix: string }

beforeAll(async () => {
  app = await startTestApp({ cloud: { buckets: [TEST_BUCKET, OTHER_BUCKET] } })
  const token = app.token({
    subject: 'alice',
    tenant: 'acme',
    scopes: ['uploads', 'credentials', 'credentials:direct'],
  })
  const api = createApi(app.url, token)
  const upload = await createFor(api, someBytes(MiB + 1), { fileName: 'film.mp4' })
  own = { bucket: upload.bucket, key: upload.key }
  vended = (await api('grantCredentials', { id: upload.id })).body
  direct = (await api('grantDirectCredentials')).body
  app.cloud.requests.reset()
})
afterAll(() => app.close())

const asRoot = (sending: Sending) => send(app.cloud.ossUrl, { ...sending, credentials: ROOT_KEY })

/** Sends an operation that would succeed if it were allowed: to an object that exists, and a multipart upload that has a part. */
async function attempt(operation: Operation, { bucket, key }: Target, credentials: Credentials): Promise<Received> {
  const { level, method, subresource, isCopy, name } = operation
  if (level !== 'object') {
    const target = { bucket: level === 'service' ? null : bucket }
    return send(app.cloud.ossUrl, { method, ...target, query: queryOf(subresource), ...bodyOf(name, key), credentials })
  }
  const made = await asRoot({ method: 'POST', bucket, key, query: { uploads: null } })
  const uploadId = made.xml('UploadId') ?? ''
  const part = await asRoot({ method: 'PUT', bucket, key, query: { uploadId, partNumber: '1' }, body: 'part' })
  await asRoot({ method: 'PUT', bucket, key, body: 'object' })
  const query = subresource === 'uploadId' || subresource === 'partNumber' ? { uploadId } : queryOf(subresource)
  const isPart = method === 'PUT' && 'uploadId' in query
  const etag = String(part.headers.etag)
  return send(app.cloud.ossUrl, {
    method,
    bucket,
    key,
    query: { ...query, ...(isPart ? { partNumber: '1' } : {}) },
    ...bodyOf(name, key, etag),
    ...(isCopy
      ? { headers: { 'x-oss-copy-source': `/${bucket}/${key.split('/').map(encodeURIComponent).join('/')}` } }
      : {}),
    credentials,
  })
}

function queryOf(subresource: string): Record<string, string | null> {
  if (subresource === '') return {}
  return subresource === 'list-type' ? { 'list-type': '2' } : { [subresource]: null }
}

function bodyOf(name: string, key: string, etag = ''): Pick<Sending, 'body' | 'headers'> {
  if (name === 'DeleteMultipleObjects') {
    const body = `<Delete><Object><Key>${key}</Key></Object></Delete>`
    return { body, headers: { 'content-md5': createHash('md5').update(body).digest('base64') } }
  }
  if (name === 'CompleteMultipartUpload') {
    const parts = `<Part><PartNumber>1</PartNumber><ETag>${etag}</ETag></Part>`
    return { body: `<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>` }
  }
  if (name === 'PutObjectAcl') return { headers: { 'x-oss-object-acl': 'public-read-write' } }
  if (name === 'PutObject with an ACL') return { body: 'x', headers: { 'x-oss-object-acl': 'public-read-write' } }
  if (name === 'PutBucketAcl') return { headers: { 'x-oss-acl': 'public-read-write' } }
  if (name === 'PutBucketCors') {
    const rule = '<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>'
    return { body: `<CORSConfiguration><CORSRule>${rule}</CORSRule></CORSConfiguration>` }
  }
  if (name === 'PutBucketLifecycle') {
    const rule = '<Prefix></Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration>'
    return { body: `<LifecycleConfiguration><Rule>${rule}</Rule></LifecycleConfiguration>` }
  }
  return name === 'PutObject' || name === 'UploadPart' ? { body: 'mine' } : {}
}

function outcomeOf({ status, headers, error }: Received): 'passes' | 'is denied' | string {
  if (status >= 200 && status < 300) return 'passes'
  const isDenied = status === 403 && (error.code === 'AccessDenied' || headers['x-oss-ec'] === '0003-00000001')
  return isDenied ? 'is denied' : `fails: ${status} ${error.code}`
}

const targets: [string, (key: string) => Target][] = [
  ['the own key', (key) => ({ bucket: TEST_BUCKET, key })],
  ['a neighbour key', (key) => ({ bucket: TEST_BUCKET, key: key.replace(/\/[^/]*$/, '/other.mp4') })],
  [
    'the same name in another upload’s folder',
    (key) => ({ bucket: TEST_BUCKET, key: key.replace(/[0-9a-f]{32}/, 'f'.repeat(32)) }),
  ],
  ['a prefix of it', (key) => ({ bucket: TEST_BUCKET, key: key.slice(0, -1) })],
  ['its folder', (key) => ({ bucket: TEST_BUCKET, key: key.slice(0, key.lastIndexOf('/') + 1) })],
  ['a longer key', (key) => ({ bucket: TEST_BUCKET, key: `${key}x` })],
  ['a key below it', (key) => ({ bucket: TEST_BUCKET, key: `${key}/x` })],
  ['another case of it', (key) => ({ bucket: TEST_BUCKET, key: key.toUpperCase() })],
  ['another bucket', (key) => ({ bucket: OTHER_BUCKET, key })],
  // The stars for region and owner of a resource reach over colons, if RAM reads them as the local cloud does.
  [
    'another bucket, below a name that ends like the own one',
    (key) => ({ bucket: OTHER_BUCKET, key: `x:${TEST_BUCKET}/${key}` }),
  ],
  ['a key that ends like bucket and key', (key) => ({ bucket: TEST_BUCKET, key: `uploads/y/:${TEST_BUCKET}/${key}` })],
]

describe('with credentials for one upload', () => {
  it.each(operations())('$name passes at most on the own key', async (operation) => {
    const seen: Record<string, string> = {}
    for (const [name, targetOf] of targets) {
      seen[name] = outcomeOf(await attempt(operation, targetOf(own.key), vended))
    }
    const isAllowed = allowed.includes(operation.name)
    const expected = targets.map(([name]) => [name, isAllowed && name === 'the own key' ? 'passes' : 'is denied'])
    expect(seen).toEqual(Object.fromEntries(expected))
  })

  it('every operation of the table was tried, and each would pass if it were allowed', async () => {
    const names = operations().map(({ name }) => name)
    expect(new Set(names).size).toBeGreaterThan(30)
    const received = Object.keys(app.cloud.requests.all())
    const tried = names.filter((name) => name !== 'PutObject with an ACL')
    expect([...new Set(received)].sort()).toEqual([...new Set(tried)].sort())
    // What the denials above mean: the same requests, signed by somebody who may do everything, are answered.
    const scratch = { bucket: 'scratch-bucket', key: 'a/b' }
    await asRoot({ method: 'PUT', bucket: scratch.bucket })
    const root = ROOT_KEY as Credentials
    const outcomes: Record<string, string> = {}
    for (const operation of operations()) {
      if (operation.name === 'DeleteBucket') continue
      outcomes[operation.name] = outcomeOf(await attempt(operation, scratch, root))
    }
    // Asked for before they are set.
    const unset = ['GetBucketLifecycle', 'GetBucketCors']
    for (const name of unset) expect(outcomes[name]).toMatch(/^passes$|^fails: 404 NoSuch/)
    const others = Object.entries(outcomes).filter(([name]) => !unset.includes(name))
    expect(others.filter(([, outcome]) => outcome !== 'passes')).toEqual([])
  })
})

describe('with direct credentials', () => {
  const placesOf = (prefix: string): [string, Target, boolean][] => [
    ['a key in the own folder', { bucket: TEST_BUCKET, key: `${prefix}a/b.bin` }, true],
    ['the folder’s name without its slash', { bucket: TEST_BUCKET, key: prefix.slice(0, -1) }, false],
    ['a folder whose name goes on', { bucket: TEST_BUCKET, key: `${prefix.slice(0, -1)}y/a` }, false],
    ['the tenant’s folder', { bucket: TEST_BUCKET, key: 'direct/acme/a' }, false],
    ['an object Partway answers for', { bucket: TEST_BUCKET, key: own.key }, false],
    ['another bucket', { bucket: OTHER_BUCKET, key: `${prefix}a` }, false],
    [
      'another bucket, below a name that ends like the own one',
      { bucket: OTHER_BUCKET, key: `x:${TEST_BUCKET}/${prefix}a` },
      false,
    ],
  ]

  it.each(operations())('$name passes at most in the own folder', async (operation) => {
    for (const [name, target, isOwn] of placesOf(direct.prefix)) {
      const isAllowed = isOwn && allowed.includes(operation.name)
      const outcome = outcomeOf(await attempt(operation, target, direct))
      expect([name, outcome]).toEqual([name, isAllowed ? 'passes' : 'is denied'])
    }
  })
})
