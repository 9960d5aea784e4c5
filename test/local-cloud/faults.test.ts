import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFaults, type FaultEffect, type FaultRule } from '../../server/local-cloud/faults.ts'
import { startTestCloud, type TestCloud } from '../support/local-cloud.ts'
import { send } from './send.ts'

let cloud: TestCloud

beforeEach(async () => {
  cloud = await startTestCloud({ controlPort: 0 })
})
afterEach(() => cloud.cleanUp())

const once = (effect: FaultEffect, match: FaultRule['match'] = {}) => cloud.faults.add({ match, times: 1, effect })
const put = (key: string, body = 'hello', headers = {}) => send(cloud.ossUrl, { method: 'PUT', key, body, headers })
const get = (key: string) => send(cloud.ossUrl, { method: 'GET', key })
const hello = { etag: '"5D41402ABC4B2A76B9719D911017C592"' }

describe('a fault rule', () => {
  it('answers with an error before anything is done', async () => {
    once({ kind: 'answer', status: 500, code: 'InternalError' })
    const answer = await put('k')
    expect([answer.status, answer.error.code]).toEqual([500, 'InternalError'])
    expect((await get('k')).status).toBe(404)
  })

  it('answers with an error after the commit', async () => {
    once({ kind: 'answer', status: 500, code: 'InternalError', at: 'after-commit' })
    expect((await put('k')).status).toBe(500)
    expect((await get('k')).text).toBe('hello')
  })

  it('throttles with the time to wait', async () => {
    once({ kind: 'throttle', delayMs: 70 })
    const answer = await put('k')
    expect(answer.status).toBe(503)
    expect(answer.headers['x-oss-qos-delay-time']).toBe('70')
  })

  it.each([
    ['before the body', { kind: 'cut', at: 'start' }, 404],
    ['inside the body', { kind: 'cut', at: 'body', afterBytes: 2 }, 404],
    ['after the commit', { kind: 'cut', at: 'reply' }, 200],
  ] as const)('cuts the connection %s', async (_, effect, status) => {
    once(effect, { verb: 'PutObject' })
    await expect(put('k')).rejects.toThrow()
    expect((await get('k')).status).toBe(status)
    expect(cloud.requests.countAnswered('PutObject', 0)).toBe(1)
  })

  it('leaves the body out, or puts an Error in it', async () => {
    const uploadOf = async (key: string) =>
      (await send(cloud.ossUrl, { method: 'POST', key, query: { uploads: null } })).xml('UploadId') ?? ''
    const finish = async (key: string) => {
      const uploadId = await uploadOf(key)
      await send(cloud.ossUrl, { method: 'PUT', key, query: { uploadId, partNumber: '1' }, body: 'hello' })
      return send(cloud.ossUrl, { method: 'POST', key, query: { uploadId }, headers: { 'x-oss-complete-all': 'yes' } })
    }
    once({ kind: 'empty-body' }, { verb: 'CompleteMultipartUpload' })
    expect(await finish('a').then(({ status, text }) => [status, text])).toEqual([200, ''])
    once({ kind: 'error-in-body', code: 'InternalError' }, { verb: 'CompleteMultipartUpload' })
    const second = await finish('b')
    expect([second.status, second.error.code]).toEqual([200, 'InternalError'])
    expect([(await get('a')).text, (await get('b')).text]).toEqual(['hello', 'hello'])
  })

  it('corrupts what is received, what is stored, or what is said', async () => {
    once({ kind: 'corrupt', what: 'received' })
    expect((await put('k', 'hello', { 'content-md5': 'XUFAKrxLKna5cZ2REBfFkg==' })).error.code).toBe('InvalidDigest')
    once({ kind: 'corrupt', what: 'received' })
    expect((await put('received')).headers).not.toMatchObject(hello)
    once({ kind: 'corrupt', what: 'stored' })
    expect((await put('stored', 'hello', { 'content-md5': 'XUFAKrxLKna5cZ2REBfFkg==' })).headers).toMatchObject(hello)
    const stored = await get('stored')
    expect(stored.headers).toMatchObject(hello)
    expect(stored.body).toEqual(Buffer.from([0x68 ^ 0xff, ...Buffer.from('ello')]))
    once({ kind: 'corrupt', what: 'etag' })
    expect((await put('etag')).headers.etag).toBe('"00000000000000000000000000000000"')
    once({ kind: 'corrupt', what: 'crc64' })
    expect((await put('crc64')).headers['x-oss-hash-crc64ecma']).toBe('1')
  })

  it('sets the clock off', async () => {
    once({ kind: 'clock', offsetMs: 20 * 60_000 })
    const answer = await put('k')
    expect(answer.error.code).toBe('RequestTimeTooSkewed')
    expect(Date.parse(String(answer.headers.date)) - Date.now()).toBeGreaterThan(19 * 60_000)
  })

  it('delays an answer', async () => {
    once({ kind: 'delay', delayMs: 30 })
    const answer = await put('k')
    expect(Number(answer.headers['x-oss-server-time'])).toBeGreaterThanOrEqual(25)
  })

  it('is for what it matches, and for nothing else', async () => {
    const effect: FaultEffect = { kind: 'answer', status: 500, code: 'InternalError' }
    cloud.faults.add({ match: { verb: ['PutObject', 'GetObject'], key: 'a/*' }, effect })
    expect((await put('a/b')).status).toBe(500)
    expect((await put('b/a')).status).toBe(200)
    expect((await send(cloud.ossUrl, { method: 'DELETE', key: 'a/b' })).status).toBe(204)
    cloud.faults.clear()
    expect((await put('a/b')).status).toBe(200)
  })
})

describe('a set of rules', () => {
  const subject = { verb: 'UploadPart', bucket: 'b', key: 'k', partNumber: 3, uploadId: 'u' }
  const effect: FaultEffect = { kind: 'empty-body' }
  const hits = (rule: FaultRule, times: number, seed = 1) => {
    const faults = createFaults(seed)
    faults.add(rule)
    return Array.from({ length: times }, () => faults.effectsFor(subject).length)
  }

  it('counts: skips first, then happens so many times', () => {
    expect(hits({ after: 2, times: 2, effect }, 6)).toEqual([0, 0, 1, 1, 0, 0])
  })

  it('matches part numbers and upload ids', () => {
    expect(hits({ match: { partNumber: [1, 3], uploadId: 'u', bucket: 'b' }, effect }, 1)).toEqual([1])
    expect(hits({ match: { partNumber: 2 }, effect }, 1)).toEqual([0])
    expect(hits({ match: { uploadId: 'v' }, effect }, 1)).toEqual([0])
  })

  it('draws the same lots from the same seed', () => {
    const rule = { probability: 0.3, effect }
    expect(hits(rule, 200, 7)).toEqual(hits(rule, 200, 7))
    expect(hits(rule, 200, 7)).not.toEqual(hits(rule, 200, 8))
    const share = hits(rule, 2000, 7).reduce((sum, hit) => sum + hit, 0) / 2000
    expect(share).toBeGreaterThan(0.25)
    expect(share).toBeLessThan(0.35)
  })
})

describe('the control port', () => {
  const control = async (method: string, path: string, body?: unknown) => {
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${cloud.controlUrl}${path}`, { method, body: text })
    return { status: response.status, json: (await response.json()) as Record<string, unknown> }
  }

  it('adds, shows and removes rules', async () => {
    const rule = { match: { verb: 'PutObject' }, effect: { kind: 'answer', status: 503, code: 'SlowDown' } }
    const { status, json } = await control('POST', '/faults', rule)
    expect(status).toBe(201)
    expect((await put('k')).error.code).toBe('SlowDown')
    const listed = await control('GET', '/faults')
    expect(listed.json).toMatchObject({ seed: 1, rules: [{ id: json.id, rule, matched: 1, applied: 1 }] })
    expect((await control('DELETE', `/faults/${json.id}`)).status).toBe(200)
    expect((await control('DELETE', `/faults/${json.id}`)).status).toBe(404)
    expect((await put('k')).status).toBe(200)
    await control('POST', '/faults', rule)
    await control('DELETE', '/faults')
    expect((await put('k')).status).toBe(200)
  })

  it('counts requests', async () => {
    await put('k')
    await put('k')
    await get('k')
    expect((await control('GET', '/requests')).json).toEqual({ PutObject: 2, GetObject: 1 })
    await control('DELETE', '/requests')
    expect((await control('GET', '/requests')).json).toEqual({})
  })

  it.each([
    'x',
    '{}',
    { effect: { kind: 'unknown' } },
    { effect: { kind: 'throttle', delayMs: -1 } },
    'a'.repeat(70_000),
  ])('refuses the rule %j', async (rule) => {
    expect((await control('POST', '/faults', rule)).status).toBe(400)
    expect((await put('k')).status).toBe(200)
  })

  it('is off unless asked for', async () => {
    const plain = await startTestCloud()
    expect(plain.controlUrl).toBeNull()
    await plain.cleanUp()
  })
})
