import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { askedDelayMs, defaultRetryPolicy, isTransient, retryDelayMs } from '../../client-sdk/retry.ts'

const policy = { baseMs: 100, capMs: 5000, maxAttempts: 10, budgetMs: 60_000 }
const share = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the delay before the next attempt', () => {
  it('lies between nothing and the capped exponential, anywhere in it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), share, (failures, random) => {
        const delay = retryDelayMs(policy, failures, 0, { status: 503 }, random)
        const ceiling = Math.min(policy.capMs, policy.baseMs * 2 ** (failures - 1))
        expect(delay).toBe(Math.floor(random * ceiling))
      }),
    )
  })

  it('is never shorter than what the service asks for, and not much longer', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 60_000 }),
        share,
        (failures, asked, random) => {
          const delay = retryDelayMs(policy, failures, 0, { status: 429, retryAfterMs: asked }, random) ?? -1
          expect(delay).toBeGreaterThanOrEqual(asked)
          expect(delay).toBeLessThanOrEqual(asked * 1.25 + policy.baseMs)
        },
      ),
    )
  })

  it('adds to an outage without any answer no more than it lasted so far', () => {
    const elapsed = fc.integer({ min: 0, max: 59_999 })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), elapsed, share, (failures, elapsedMs, random) => {
        const delay = retryDelayMs(policy, failures, elapsedMs, { isUnanswered: true }, random) ?? -1
        expect(delay).toBeGreaterThanOrEqual(0)
        expect(delay).toBeLessThanOrEqual(Math.max(policy.baseMs, elapsedMs))
        expect(delay).toBeLessThanOrEqual(retryDelayMs(policy, failures, elapsedMs, { status: 503 }, random) ?? -1)
      }),
    )
    expect(retryDelayMs(policy, 9, 30_000, { isUnanswered: true }, 0.9999)).toBe(4999)
    // The clock was set back: nobody knows how long it lasted.
    expect(retryDelayMs(policy, 9, -1, { isUnanswered: true }, 0.9999)).toBe(4999)
  })

  it('ends after the last attempt, and when the outage has lasted too long', () => {
    expect(retryDelayMs(policy, 10, 0, {}, 0.5)).toBeNull()
    expect(retryDelayMs(policy, 9, 0, {}, 0.5)).not.toBeNull()
    expect(retryDelayMs(policy, 1, 60_000, {}, 0.5)).toBeNull()
    expect(retryDelayMs(policy, 1, 59_999, {}, 0.5)).not.toBeNull()
  })

  it('does not exist for an answer that would only come again', () => {
    for (const status of [400, 401, 403, 404, 409, 410, 413, 422]) {
      expect(retryDelayMs(policy, 1, 0, { status }, 0.5)).toBeNull()
    }
  })

  it('stops instead of sleeping for longer than ten minutes at a service’s word', () => {
    expect(retryDelayMs(policy, 1, 0, { status: 503, retryAfterMs: 600_001 }, 0.5)).toBeNull()
  })

  it('outlasts two minutes of refused connections with the default policy', () => {
    const even = fc.noBias(fc.integer({ min: 0, max: 999 })).map((roll) => roll / 1000)
    fc.assert(
      fc.property(fc.infiniteStream(even), (dice) => {
        let elapsed = 0
        for (let failures = 1; elapsed < 120_000; failures++) {
          const delay = retryDelayMs(
            defaultRetryPolicy,
            failures,
            elapsed,
            { isUnanswered: true },
            dice.next().value ?? 0,
          )
          expect(delay).not.toBeNull()
          elapsed += delay ?? 0
        }
      }),
      { numRuns: 300, seed: 7 },
    )
  })

  it('is granted to lost answers, timeouts, throttling and server errors', () => {
    for (const failure of [{}, { status: 408 }, { status: 429 }, { status: 500 }, { status: 503 }]) {
      expect(isTransient(failure)).toBe(true)
    }
    expect(isTransient({ status: 400, code: 'RequestTimeout' })).toBe(true)
    expect(isTransient({ status: 400, code: 'InvalidArgument' })).toBe(false)
  })
})

describe('the wait a reply asks for', () => {
  const asked = (headers: Record<string, string>, nowMs = 0) => askedDelayMs((name) => headers[name], nowMs)

  it('is read from seconds, from an HTTP date by the server’s clock, and from OSS’s own header', () => {
    expect(asked({ 'retry-after': '7' })).toBe(7000)
    const now = Date.parse('2026-01-01T00:00:00Z')
    expect(asked({ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }, now)).toBe(30_000)
    expect(asked({ 'retry-after': 'Wed, 31 Dec 2025 00:00:30 GMT' }, now)).toBe(0)
    expect(asked({ 'x-oss-qos-delay-time': '250' })).toBe(250)
    expect(asked({ 'x-oss-qos-delay-time': '250', 'retry-after': '1' })).toBe(1000)
  })

  it('is unknown when nothing readable is there', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const delay = asked({ 'retry-after': text })
        expect(delay === undefined || (Number.isFinite(delay) && delay >= 0)).toBe(true)
      }),
    )
    expect(asked({})).toBeUndefined()
    expect(asked({ 'retry-after': '-5' }, Number.MAX_SAFE_INTEGER)).not.toBeLessThan(0)
  })
})
