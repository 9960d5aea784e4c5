import { ClientException, ServiceException } from '@partway/client'
import { planParts } from '@partway/client/contract'
import { systemClock } from '@partway/client/node'
import { describe, expect, it } from 'vitest'
import { createRunGate, pausedReason } from '../../client-sdk/run-gate.ts'
import { createStsDesk } from '../../client-sdk/sts/sts-desk.ts'

const startMs = Date.parse('2026-01-01T00:00:00Z')
const credentials = {
  accessKeyId: 'STS.example',
  accessKeySecret: 'secret',
  securityToken: 'token',
  expiresAt: new Date(startMs + 900_000).toISOString(),
  bucket: 'examplebucket',
  region: 'cn-hangzhou',
  endpoint: 'https://oss-cn-hangzhou.aliyuncs.com',
  addressing: 'virtual' as const,
  key: 'uploads/acme/a b.bin',
  uploadId: 'ID',
}

async function grantAt(nowMs: number, changed: Partial<typeof credentials> = {}) {
  const desk = createStsDesk({
    api: { getTime: async () => ({ now: new Date(startMs).toISOString() }) },
    ask: async () => ({ ...credentials, ...changed }),
    plan: planParts(5_000_000, 1_048_576),
    clock: systemClock,
    // Of those that never learn.
    serverClock: { nowMs: () => nowMs, learn() {} },
    gate: createRunGate(),
    signal: new AbortController().signal,
  })
  const grant = await desk.ask({ partNumber: 5, md5: 'XrY7u+Ae7tCTyyK7j1rNww==' })
  const url = new URL(grant.url)
  return { grant, url, query: Object.fromEntries(url.searchParams) }
}

describe('a grant signed by the client', () => {
  it('names part, upload, token and MD5, for the size of the part and 15 minutes at most', async () => {
    const { grant, url, query } = await grantAt(startMs)
    expect(grant).toMatchObject({ partNumber: 5, method: 'PUT', sizeBytes: 5_000_000 - 4 * 1_048_576 })
    expect(grant.headers).toEqual({ 'Content-MD5': 'XrY7u+Ae7tCTyyK7j1rNww==' })
    expect(grant.expiresAt).toBe('2026-01-01T00:15:00.000Z')
    expect([url.host, url.pathname]).toEqual(['examplebucket.oss-cn-hangzhou.aliyuncs.com', '/uploads/acme/a%20b.bin'])
    expect(query).toMatchObject({
      partNumber: '5',
      uploadId: 'ID',
      'x-oss-security-token': 'token',
      'x-oss-expires': '900',
      'x-oss-date': '20260101T000000Z',
    })
  })

  it('never outlives its credentials', async () => {
    const { grant, query } = await grantAt(startMs + 600_400)
    expect([query['x-oss-date'], query['x-oss-expires']]).toEqual(['20260101T001000Z', '299'])
    expect(Date.parse(grant.expiresAt)).toBeLessThanOrEqual(Date.parse(credentials.expiresAt))
  })

  it.each([
    ['years late', startMs + 1e11, '20260101T001459Z'],
    ['years early', 0, '20251231T121500Z'],
  ])('is dated within the life of its credentials by a clock that is %s', async (_what, nowMs, date) => {
    const { query } = await grantAt(nowMs)
    expect(query['x-oss-date']).toBe(date)
    expect(Number(query['x-oss-expires'])).toBeGreaterThanOrEqual(1)
  })

  it('is not made for a region that is none', async () => {
    await expect(grantAt(startMs, { region: 'cn/../x' })).rejects.toMatchObject({ code: 'invalid-reply' })
  })

  it('asks for the time again after a pause that dropped the asking, and after an outage', async () => {
    const gate = createRunGate()
    const answers = [
      (signal: AbortSignal | undefined) =>
        new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
      () => Promise.reject(new ClientException('network', 'The server cannot be reached')),
      async () => ({ now: new Date(startMs).toISOString() }),
    ]
    let asked = 0
    const desk = createStsDesk({
      api: { getTime: (options) => (answers[asked++] ?? answers[2])?.(options?.signal) as Promise<{ now: string }> },
      ask: async () => credentials,
      plan: planParts(5_000_000, 1_048_576),
      clock: systemClock,
      serverClock: { nowMs: () => startMs, learn() {} },
      gate,
      signal: new AbortController().signal,
    })
    const part = { partNumber: 1, md5: 'XrY7u+Ae7tCTyyK7j1rNww==' }
    const grant = await desk.ask(part)
    const error = new ServiceException({ from: 'oss', status: 403, code: 'AccessDenied', message: 'refused' })
    const renew = () => desk.ask(part, { grant, error })
    const both = [renew(), renew()].map((asking) => expect(asking).rejects.toBe(pausedReason))
    gate.pause()
    await Promise.all(both)
    gate.resume()
    await expect(renew()).rejects.toMatchObject({ code: 'network' })
    await renew()
    expect(asked).toBe(3)
  })
})
