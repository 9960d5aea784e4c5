import { request } from 'node:http'
import { type EndpointName, endpoints, MAX_OBJECT_BYTES } from '@partway/client/contract'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { examples } from '../../server/http/openapi-examples.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { expectProblem } from '../support/problems.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app.close())

// Whatever was sent: the process lives, and there is no row and no multipart upload.
let rowsBefore = 0
beforeEach(async () => {
  rowsBefore = await app.deps.db.prisma.upload.count()
})
afterEach(async () => {
  expect((await fetch(`${app.url}/healthz`)).status).toBe(200)
  expect(await app.deps.db.prisma.upload.count()).toBe(rowsBefore)
})

const unknownId = `upl_${'0'.repeat(32)}`
const names = Object.keys(endpoints) as EndpointName[]
const withBody = names.filter((name) => 'body' in endpoints[name])
const withParams = names.filter((name) => 'params' in endpoints[name])
const withId = withParams.filter((name) => (endpoints[name].problems as readonly string[]).includes('upload-not-found'))
const withoutQuery = names.filter((name) => !('query' in endpoints[name]))

const json = { 'content-type': 'application/json' }
const pathOf = (name: EndpointName, id = name === 'updateTenant' ? 'alice' : unknownId) =>
  endpoints[name].path.replace(/\{(id|tenant)\}/, () => id)
const tokenOf = () => app.token({ scopes: ['uploads', 'credentials', 'credentials:direct', 'admin'] })
const valid = (name: EndpointName): Record<string, unknown> => structuredClone(examples[name]?.body) ?? {}

interface Sent {
  path?: string
  headers?: Record<string, string>
  body?: string | Uint8Array
}
function send(name: EndpointName, { path = pathOf(name), headers = {}, body }: Sent = {}): Promise<Response> {
  const { method } = endpoints[name]
  return fetch(app.url + path, {
    method,
    headers: { authorization: `Bearer ${tokenOf()}`, ...headers },
    ...(body === undefined ? {} : { body: body as BodyInit }),
  })
}
const sendJson = (name: EndpointName, body: unknown) => send(name, { headers: json, body: JSON.stringify(body) })

describe('a body', () => {
  test.each(withBody)('%s refuses fields it does not know, and names them', async (name) => {
    const response = await sendJson(name, { ...valid(name), surprise: 1 })
    const problem = await expectProblem(response, 'invalid-request', name)
    expect(problem.errors).toEqual([{ detail: 'is not a field of this request', pointer: '/body/surprise' }])
  })

  test.each(withBody)('%s refuses what is not an object', async (name) => {
    for (const body of ['[]', 'null', '7', '"text"', 'true', '[{}]']) {
      await expectProblem(await send(name, { headers: json, body }), 'invalid-request', name)
    }
  })

  test.each(withBody)('%s refuses what is not JSON in UTF-8', async (name) => {
    const bodies = ['{', '{"a":NaN}', "{'a':1}", '{"a":1,}', '\ufeff\ufeff{}', new Uint8Array([0x22])]
    for (const body of bodies) {
      const problem = await expectProblem(await send(name, { headers: json, body }), 'invalid-request', name)
      expect(problem.errors?.[0]?.pointer).toBe('/body')
    }
  })

  test('that is not UTF-8 is refused, not read as something else', async () => {
    const text = JSON.stringify({ ...valid('createUpload'), fileName: '@.bin' })
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe7, 0x9b]]) {
      const body = Buffer.concat(
        text.split('@').flatMap((piece, index) => [...(index ? [Buffer.from(bytes)] : []), Buffer.from(piece)]),
      )
      const problem = await expectProblem(await send('createUpload', { headers: json, body }), 'invalid-request')
      expect(problem.errors).toEqual([{ detail: 'is not valid UTF-8', pointer: '/body' }])
    }
  })

  test.each(withBody)('%s refuses other media types', async (name) => {
    const body = JSON.stringify(valid(name))
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'application/jsonx',
      'application/json; charset=gbk',
      'text/json',
      'x',
    ]
    for (const type of types) {
      await expectProblem(await send(name, { headers: { 'content-type': type }, body }), 'unsupported-media-type', name)
    }
    const untyped = await send(name, { body: new TextEncoder().encode(body) })
    await expectProblem(untyped, 'unsupported-media-type', name)
    const compressed = await send(name, { headers: { ...json, 'content-encoding': 'gzip' }, body })
    await expectProblem(compressed, 'unsupported-media-type', name)
  })

  test.each(withBody)('%s refuses 10 MB, with a length and without', async (name) => {
    const body = `{"a":"${'x'.repeat(10_000_000)}"}`
    await expectProblem(await send(name, { headers: json, body }), 'payload-too-large', name)
    const chunked = await fetch(app.url + pathOf(name), {
      method: endpoints[name].method,
      headers: { authorization: `Bearer ${tokenOf()}`, ...json },
      body: new Blob([body]).stream(),
      duplex: 'half',
    } as RequestInit)
    await expectProblem(chunked, 'payload-too-large', name)
  })

  test.each(withBody)('%s refuses JSON 10,000 levels deep, of lists, objects and both', async (name) => {
    const depth = 10_000
    const bodies = [
      `{"parts":${'['.repeat(depth)}${']'.repeat(depth)}}`,
      `${'{"parts":'.repeat(depth)}1${'}'.repeat(depth)}`,
      `${'[{"a":'.repeat(depth)}1${'}]'.repeat(depth)}`,
      '['.repeat(500_000),
    ]
    for (const body of bodies) {
      const problem = await expectProblem(await send(name, { headers: json, body }), 'invalid-request', name)
      expect(JSON.stringify(problem).length).toBeLessThan(500)
    }
  })

  test.each(withBody)('%s refuses fields that reach for the prototype', async (name) => {
    const { metadata: _, ...rest } = valid(name)
    const open = JSON.stringify({ ...rest, fileName: 'x' }).slice(0, -1)
    for (const field of [
      '"__proto__":{"sizeBytes":1}',
      '"constructor":{"prototype":{}}',
      '"metadata":{"__proto__":"x"}',
    ]) {
      const body = `${open},${field}}`
      await expectProblem(await send(name, { headers: json, body }), 'invalid-request', name)
    }
    expect(({} as Record<string, unknown>).fileName).toBeUndefined()
  })

  test('with many faults is told the first 20, and neither values nor long names come back', async () => {
    const canary = 'sEcReT'
    const fields = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [`${'n'.repeat(90)}${index}`, canary]),
    )
    const problem = await expectProblem(await sendJson('createUpload', { ...fields, fileName: 7 }), 'invalid-request')
    expect(problem.errors).toHaveLength(20)
    expect(JSON.stringify(problem)).not.toContain(canary)
    expect(JSON.stringify(problem).length).toBeLessThan(5_000)
  })

  test('that is promised but cut short leaves the server well', async () => {
    await new Promise<void>((resolve) => {
      const { port } = new URL(app.url)
      const outgoing = request({
        port,
        method: 'POST',
        path: '/v1/uploads',
        headers: { ...json, authorization: `Bearer ${app.token()}`, 'content-length': 100 },
      })
      outgoing.on('error', () => resolve())
      outgoing.on('socket', (socket) => socket.on('connect', () => setImmediate(() => outgoing.destroy())))
      outgoing.write('{"fileName":')
    })
  })

  test('may be absent where every field is optional, and counts as {}', async () => {
    await expectProblem(await send('completeUpload'), 'upload-not-found', 'completeUpload')
    await expectProblem(await send('completeUpload', { headers: json, body: '' }), 'upload-not-found')
    const problem = await expectProblem(await send('createUpload'), 'invalid-request', 'createUpload')
    expect(problem.errors?.map((error) => error.pointer).sort()).toEqual(['/body/fileName', '/body/sizeBytes'])
  })
})

/** Values that no request may carry, by the field they are put into. Text in `raw` is JSON that JSON.stringify would not write. */
const raw = (text: string) => ({ raw: text })
const dirtyText = ['a\0b', 'a\nb', 'a\u0085b', 'a\u007fb', raw('"a\\ud800b"'), raw('"\\udfff"')]
const badPart = [0, 10_001, 1.5, -1, '1', null, true, [], {}, raw('1e999'), raw('-0.5'), 2 ** 53]
const badBytes = [-1, 1.5, '10', null, true, [], {}, 2 ** 53, raw('1e999'), raw('-1e999')]
const badValues: { [Name in EndpointName]?: Record<string, unknown[]> } = {
  createUpload: {
    fileName: ['', 'x'.repeat(1025), '目'.repeat(342), 7, null, [], {}, ...dirtyText],
    sizeBytes: badBytes,
    contentType: ['', 'video', 'a/b\r\nX-Evil: 1', 'a/', `a/${'b'.repeat(300)}`, 7, null, 'ä/b', ...dirtyText],
    fingerprint: ['', 'a b', 'x'.repeat(201), 7, null, 'ä', ...dirtyText],
    resume: ['true', 1, null, []],
    partSizeBytes: [1_048_575, 5_368_709_121, ...badBytes],
    metadata: [
      [],
      null,
      'x',
      { UPPER: 'x' },
      { '': 'x' },
      { 'partway-upload': 'x' },
      { a: 1 },
      { a: null },
      { a: 'ä' },
      { a: 'x\r\ny: z' },
      { a: ' x' },
      { ['k'.repeat(65)]: 'x' },
      { a: 'x'.repeat(7_168) },
      raw('{"a":"\\u0000"}'),
      raw('{"a\\ud800":"x"}'),
    ],
    parts: [
      {},
      null,
      'x',
      Array.from({ length: 101 }, (_, index) => ({ partNumber: index + 1 })),
      [{ partNumber: 1 }, { partNumber: 1 }],
      [1],
      [null],
      [{}],
    ],
    'parts.0.partNumber': badPart,
    'parts.0.md5': [
      '',
      'x',
      7,
      null,
      'd41d8cd98f00b204e9800998ecf8427e',
      'XrY7u+Ae7tCTyyK7j1rNwx==',
      'XrY7u+Ae7tCTyyK7j1rNww==\n',
    ],
    'parts.0.surprise': [1],
  },
  grantParts: {
    parts: [
      [],
      {},
      null,
      Array.from({ length: 101 }, (_, index) => ({ partNumber: index + 1 })),
      [{ partNumber: 2 }, { partNumber: 2 }],
    ],
    'parts.0.partNumber': badPart,
    'parts.0.surprise': [1],
  },
  saveCheckpoint: {
    parts: [
      [],
      {},
      null,
      Array.from({ length: 1001 }, (_, index) => ({ partNumber: index + 1 })),
      [{ partNumber: 2 }, { partNumber: 2 }],
    ],
    'parts.0.partNumber': badPart,
    'parts.0.etag': ['', 'x', 7, null, 'g'.repeat(32), '"'],
    'parts.0.crc64': ['', '-1', '01', '1.5', '18446744073709551616', 5, null, ' 1', '1\n'],
    'parts.0.surprise': [1],
  },
  completeUpload: { crc64: ['', '-1', '01', '0x1', '18446744073709551616', 5, null] },
  updateTenant: {
    suspended: ['true', 1, 0, null, [], {}],
    limits: [null, 7, 'none', []],
    'limits.maxOpenUploads': [-1, 1.5, '5', 1e10, {}],
    'limits.maxBytesInFlight': [-1, 0.5, '5', 2 ** 53],
    'limits.maxCreatesPerMinute': [-1, 0.5, '5', 1_000_001],
  },
  abortUploads: {
    ids: [
      [],
      {},
      null,
      [7],
      ['upl_1'],
      Array.from({ length: 101 }, (_, index) => `upl_${index.toString(16).padStart(32, '0')}`),
      [unknownId, unknownId],
    ],
    dryRun: ['true', 1, null],
  },
  sweepUploads: {
    olderThanSeconds: [3599, 0, -1, 3600.5, '3600', null, 1e10],
    dryRun: ['true', 1, null],
    limit: [0, 1001, 1.5, '5', null],
    tenant: ['', '*', 7, null, '\u0000', 'x'.repeat(257), '\ud800'],
  },
  resolveOrphans: {
    action: ['', 'delete', 7, null],
    ids: [[], {}, null, [7], ['orp_'], ['upl_1'], ['orp_a', 'orp_a'], Array.from({ length: 51 }, (_, n) => `orp_${n}`)],
    dryRun: ['true', 1, null],
  },
}

describe('a field', () => {
  const cases = Object.entries(badValues).flatMap(([name, fields]) =>
    Object.entries(fields).map(([path, values]) => [name as EndpointName, path, values] as const),
  )

  test('of every body is tried', () => {
    expect(Object.keys(badValues).sort()).toEqual([...withBody].sort())
  })

  test.each(cases)('of %s, %s, refuses bad values and says where', async (name, path, values) => {
    const place = path.split('.')
    for (const value of values) {
      const body = JSON.stringify(withValue(valid(name), place, isRaw(value) ? '@@' : value))
      const text = isRaw(value) ? body.replace('"@@"', () => value.raw) : body
      const problem = await expectProblem(await send(name, { headers: json, body: text }), 'invalid-request', name)
      const pointers = problem.errors?.map((error) => error.pointer) ?? []
      expect([text.slice(0, 200), pointers.some((pointer) => pointer.startsWith(`/body/${place.join('/')}`))]).toEqual([
        text.slice(0, 200),
        true,
      ])
    }
  })

  test('of a size above what OSS can hold is a file too large', async () => {
    await expectProblem(
      await sendJson('createUpload', { ...valid('createUpload'), parts: [], sizeBytes: MAX_OBJECT_BYTES + 1 }),
      'file-too-large',
      'createUpload',
    )
  })
})

function isRaw(value: unknown): value is { raw: string } {
  return typeof value === 'object' && value !== null && Object.keys(value).join() === 'raw'
}

function withValue(body: Record<string, unknown>, [first = '', ...rest]: string[], value: unknown): unknown {
  if (rest.length === 0) return Array.isArray(body) ? body.with(Number(first), value) : { ...body, [first]: value }
  const inner = withValue((body as Record<string, Record<string, unknown>>)[first] ?? {}, rest, value)
  return Array.isArray(body) ? body.with(Number(first), inner) : { ...body, [first]: inner }
}

describe('a query', () => {
  test.each(withoutQuery.filter((name) => name !== 'getTime'))('%s takes none', async (name) => {
    const body = withBody.includes(name) ? { headers: json, body: JSON.stringify(valid(name)) } : {}
    await expectProblem(await send(name, { ...body, path: `${pathOf(name)}?x=1` }), 'invalid-request', name)
  })

  test.each<[EndpointName, string]>([
    ['listUploads', 'limit=0'],
    ['listUploads', 'limit=101'],
    ['listUploads', 'limit=1.5'],
    ['listUploads', 'limit=-1'],
    ['listUploads', 'limit='],
    ['listUploads', 'limit=0x10'],
    ['listUploads', 'limit=1e1'],
    ['listUploads', 'limit=NaN'],
    ['listUploads', 'limit=10&limit=20'],
    ['listUploads', 'limit[]=10'],
    ['listUploads', 'limit[a]=10'],
    ['listUploads', 'state=open'],
    ['listUploads', 'state=pending&state=uploading'],
    ['listUploads', 'fingerprint=a%00b'],
    ['listUploads', 'fingerprint=%ED%A0%80'],
    ['listUploads', 'cursor=%00'],
    ['listUploads', 'cursor=garbage'],
    ['listUploads', 'cursor=%E0%A4%A'],
    ['listUploads', `cursor=${'x'.repeat(201)}`],
    ['listUploads', 'surprise=1'],
    ['listUploads', '__proto__=1'],
    ['getUpload', 'reconcile=yes'],
    ['getUpload', 'reconcile=true&reconcile=true'],
    ['listParts', 'after=-1'],
    ['listParts', 'after=10001'],
    ['listParts', 'limit=1001'],
    ['listParts', 'after=1&after=2'],
  ])('%s refuses ?%s', async (name, query) => {
    const problem = await expectProblem(await send(name, { path: `${pathOf(name)}?${query}` }), 'invalid-request', name)
    expect(problem.errors?.every((error) => error.pointer.startsWith('/query'))).toBe(true)
  })
})

describe('an id', () => {
  test.each(withId)('%s answers ids that cannot exist exactly like one that does not', async (name) => {
    const body = withBody.includes(name) ? { headers: json, body: JSON.stringify(valid(name)) } : {}
    const { instance: _, ...unknown } = await expectProblem(await send(name, body), 'upload-not-found', name)
    const ids = [
      'x',
      '%00',
      `upl_${'0'.repeat(31)}%00`,
      `upl_${'0'.repeat(33)}`,
      `UPL_${'0'.repeat(32)}`,
      '..%2F..%2Fetc',
      '%2e%2e%2f',
      "'%3B--",
      '目录',
      'x'.repeat(4_000),
      '%F0%9F%98%80',
    ]
    for (const id of ids) {
      const problem = await expectProblem(
        await send(name, { ...body, path: pathOf(name, id) }),
        'upload-not-found',
        name,
      )
      expect({ ...problem, instance: undefined }).toEqual({ ...unknown, instance: undefined })
    }
  })

  test.each(withParams)('%s refuses an id that is not percent-encoded', async (name) => {
    for (const id of ['%E0%A4%A', '%', '%zz', '%c0%af']) {
      const response = await send(name, { path: pathOf(name, id) })
      await expectProblem(response, 'invalid-request', name)
    }
  })
})

describe('an Idempotency-Key', () => {
  test.each(['a b', 'x'.repeat(256), 'a\tb', '\u00e9', ''])('is refused when it is %j', async (key) => {
    const headers = { ...json, 'idempotency-key': key }
    const response = await send('createUpload', {
      headers,
      body: JSON.stringify({ ...valid('createUpload'), extra: 1 }),
    })
    await expectProblem(response, 'invalid-request', 'createUpload')
    const problem = await expectProblem(
      await send('createUpload', { headers, body: JSON.stringify(valid('createUpload')) }),
      'invalid-request',
    )
    expect(problem.errors?.[0]?.pointer).toBe('/headers/idempotency-key')
  })
})

describe('an operation without a body', () => {
  test('refuses one', async () => {
    const response = await send('abortUpload', { headers: json, body: '{}' })
    await expectProblem(response, 'invalid-request', 'abortUpload')
  })
})
