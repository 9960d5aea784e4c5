import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../server/local-cloud/seeded-random.ts'
import { createCredentialCache } from '../../server/sts/credential-cache.ts'
import {
  type AssumeRoleRequest,
  type CredentialIssuer,
  type IssuerFailure,
  IssuerProblem,
} from '../../server/sts/credential-issuer.ts'
import { createPatientIssuer } from '../../server/sts/patient-issuer.ts'

const startMs = Date.parse('2026-11-22T12:00:00Z')

/** The cache as the server builds it, before an issuer that can be broken, on a clock that only the test moves. */
function world(options: { maxEntries?: number; issuedLateMs?: number; callMs?: number } = {}) {
  let nowMs = startMs
  let failure: IssuerFailure | null = null
  const calls: AssumeRoleRequest[] = []
  const slept: number[] = []
  const renewalFailures: unknown[] = []
  const issuer: CredentialIssuer = {
    async assumeRole(request) {
      calls.push(request)
      const number = calls.length
      await Promise.resolve()
      nowMs += options.callMs ?? 0
      if (failure) throw new IssuerProblem(failure, failure)
      return {
        accessKeyId: `STS.${number}`,
        accessKeySecret: 'secret',
        securityToken: 'token',
        expiresAt: new Date(nowMs - (options.issuedLateMs ?? 0) + request.ttlSeconds * 1000),
        requestId: `request-${number}`,
      }
    },
    close: async () => {},
  }
  const shared = { now: () => new Date(nowMs), random: seededRandom(7) }
  const sleep = async (ms: number) => {
    slept.push(ms)
    nowMs += ms
  }
  const cache = createCredentialCache({
    issuer: createPatientIssuer({ issuer, sleep, ...shared }),
    ...shared,
    onRenewalFailure: (error) => renewalFailures.push(error),
    ...(options.maxEntries === undefined ? {} : { maxEntries: options.maxEntries }),
  })
  return {
    calls,
    slept,
    renewalFailures,
    ask: (scope = 'a', ttlSeconds = 900) => cache.assumeRole({ sessionName: scope, policy: '{}', ttlSeconds }),
    wait(seconds: number) {
      nowMs += seconds * 1000
    },
    leftSeconds: ({ expiresAt }: { expiresAt: Date }) => (expiresAt.getTime() - nowMs) / 1000,
    fail(how: IssuerFailure | null) {
      failure = how
    },
  }
}

/** Lets renewals that nobody waits for come to their end. */
const settle = () => new Promise((resolve) => setImmediate(resolve))
const outcomeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => 'ok',
    (error: IssuerProblem) => `${error.code} ${error.failure} ${error.retryAfterSeconds}`,
  )

describe('one scope', () => {
  it('asked for by 1,000 callers at once costs one AssumeRole', async () => {
    const { ask, calls } = world()
    const given = await Promise.all(Array.from({ length: 1000 }, () => ask()))
    expect(calls).toHaveLength(1)
    expect(new Set(given.map(({ accessKeyId }) => accessKeyId))).toEqual(new Set(['STS.1']))
  })

  it('shares its failure, too: 1,000 callers, one series of tries', async () => {
    const { ask, calls, fail } = world()
    fail('unreachable')
    const outcomes = await Promise.all(Array.from({ length: 1000 }, () => outcomeOf(ask())))
    expect(calls).toHaveLength(3)
    expect(new Set(outcomes)).toEqual(new Set(['credentials-unavailable unreachable 5']))
  })

  it('is the session name, the policy and the time: each difference is another', async () => {
    const { ask, calls } = world()
    await ask('a')
    await ask('b')
    await ask('a', 1800)
    await ask('a')
    expect(calls.map(({ sessionName, ttlSeconds }) => `${sessionName} ${ttlSeconds}`)).toEqual([
      'a 900',
      'b 900',
      'a 1800',
    ])
  })
})

describe('credentials', () => {
  it.each([900, 1800, 3600, 43_200])('of %i s never reach a caller with less than 600 s left', async (ttl) => {
    const { ask, wait, leftSeconds, calls } = world()
    const least = { leftSeconds: Number.POSITIVE_INFINITY }
    for (let step = 0; step < 3000; step++) {
      wait(7 + (step % 11))
      least.leftSeconds = Math.min(least.leftSeconds, leftSeconds(await ask('a', ttl)))
      await settle()
    }
    expect(least.leftSeconds).toBeGreaterThanOrEqual(600)
    // Renewed at 50 to 90 % of the time between the first moment and the last at which they can be handed out.
    const spentSeconds = 3000 * 12
    expect(calls.length).toBeLessThanOrEqual(spentSeconds / ((ttl - 600) * 0.5) + 2)
  })

  it('are handed out until exactly 600 s before their end', async () => {
    const { ask, wait, fail, leftSeconds } = world()
    await ask()
    fail('unreachable')
    wait(300)
    expect(leftSeconds(await ask())).toBe(600)
    wait(0.001)
    expect(await outcomeOf(ask())).toMatch(/^credentials-unavailable/)
  })

  it('are refused when STS makes them with less, since its clock or ours is wrong', async () => {
    const { ask, calls } = world({ issuedLateMs: 301_000 })
    expect(await outcomeOf(ask())).toMatch(/^credentials-unavailable refused/)
    expect(await outcomeOf(ask('b'))).toMatch(/^credentials-unavailable/)
    expect(calls).toHaveLength(1)
  })

  it.each([-840_000, 240_000])(
    'reach nobody with less when the clocks of server and STS are %i ms apart',
    async (lateMs) => {
      const { ask, wait, calls, leftSeconds } = world({ issuedLateMs: lateMs })
      // Whatever the clocks say, credentials are 900 s after they were made as dead as can be.
      const madeAtSeconds: number[] = []
      for (let second = 0; second < 3600; second += 5) {
        const credentials = await ask()
        expect(leftSeconds(credentials)).toBeGreaterThanOrEqual(600)
        await settle()
        while (madeAtSeconds.length < calls.length) madeAtSeconds.push(second)
        const madeAt = madeAtSeconds[Number(credentials.accessKeyId.slice('STS.'.length)) - 1] ?? Number.NaN
        expect(madeAt + 900 - second).toBeGreaterThanOrEqual(600)
        wait(5)
      }
    },
  )

  it('of scopes begun together do not come due together', async () => {
    const { ask, wait, calls } = world()
    for (let scope = 0; scope < 200; scope++) await ask(`s${scope}`)
    const renewedPerStep: number[] = []
    for (let step = 0; step < 30; step++) {
      wait(10)
      const before = calls.length
      for (let scope = 0; scope < 200; scope++) await ask(`s${scope}`)
      await settle()
      renewedPerStep.push(calls.length - before)
    }
    expect(calls).toHaveLength(400)
    expect(Math.max(...renewedPerStep)).toBeLessThan(60)
    expect(renewedPerStep.slice(0, 14).every((count) => count === 0)).toBe(true)
  })

  it('are renewed while the old ones are handed out: nobody waits', async () => {
    const { ask, wait, calls } = world()
    await ask()
    wait(280)
    expect((await ask()).accessKeyId).toBe('STS.1')
    await settle()
    expect(calls).toHaveLength(2)
    expect((await ask()).accessKeyId).toBe('STS.2')
  })
})

describe('while STS is down', () => {
  it('for 30 minutes, callers are served while credentials can be handed out, then told to wait, and served again at its end', async () => {
    const { ask, wait, fail, calls, renewalFailures } = world()
    await ask('long', 3600)
    await ask('short', 900)
    fail('unreachable')
    const outcomes = { long: [] as string[], short: [] as string[] }
    for (let second = 0; second < 1800; second += 5) {
      wait(5)
      outcomes.long.push(await outcomeOf(ask('long', 3600)))
      outcomes.short.push(await outcomeOf(ask('short', 900)))
      await settle()
    }
    expect(new Set(outcomes.long)).toEqual(new Set(['ok']))
    expect(new Set(outcomes.short.slice(0, 59))).toEqual(new Set(['ok']))
    expect(outcomes.short.slice(61).every((outcome) => outcome.startsWith('credentials-unavailable'))).toBe(true)
    expect(renewalFailures.length).toBeGreaterThan(0)
    // With the longest pause reached, about one probe in 15 to 30 s, whoever asks how often.
    expect(calls.length).toBeLessThan(2 + 1800 / 15 + 10)
    fail(null)
    wait(30)
    expect(await outcomeOf(ask('short', 900))).toBe('ok')
    expect(await outcomeOf(ask('another', 900))).toBe('ok')
  })

  it('names the end of the pause in Retry-After, never less than a second', async () => {
    const { ask, wait, fail } = world()
    fail('unreachable')
    await outcomeOf(ask())
    for (let round = 0; round < 100; round++) {
      wait(0.7)
      const seconds = Number((await outcomeOf(ask())).split(' ')[2])
      expect(seconds).toBeGreaterThanOrEqual(1)
      expect(seconds).toBeLessThanOrEqual(30)
    }
  })

  it('one caller tries for all when a pause ends', async () => {
    const { ask, wait, fail, calls } = world()
    fail('unreachable')
    await outcomeOf(ask())
    wait(2)
    const before = calls.length
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, scope) => outcomeOf(ask(`s${scope}`))))
    expect(calls.length - before).toBe(1)
    expect(outcomes.every((outcome) => outcome.startsWith('credentials-unavailable unreachable'))).toBe(true)
  })
})

describe('a renewal that fails', () => {
  it('is told once, however many callers are served meanwhile, and not begun by each of the next ones', async () => {
    const { ask, wait, fail, calls, renewalFailures } = world()
    await ask()
    fail('unreachable')
    wait(280)
    await Promise.all(Array.from({ length: 100 }, () => ask()))
    for (let round = 0; round < 20; round++) await settle()
    expect([calls.length, renewalFailures.length]).toEqual([4, 1])
    for (let caller = 0; caller < 100; caller++) {
      expect(await outcomeOf(ask())).toBe('ok')
      await settle()
    }
    expect([calls.length, renewalFailures.length]).toEqual([4, 1])
    fail(null)
    wait(10)
    await ask()
    await settle()
    expect((await ask()).accessKeyId).toBe('STS.5')
  })
})

describe('throttling', () => {
  it('is met with growing pauses, and then with silence towards STS, for every scope', async () => {
    const { ask, fail, calls, slept } = world()
    fail('throttled')
    for (let scope = 0; scope < 100; scope++) await outcomeOf(ask(`s${scope}`))
    expect(calls).toHaveLength(3)
    expect(slept).toHaveLength(2)
    expect(slept[0]).toBeLessThanOrEqual(400)
    expect(slept[1]).toBeLessThanOrEqual(800)
  })

  it('that takes long to say so is tried no longer than a caller should wait', async () => {
    const { ask, fail, calls } = world({ callMs: 3_000 })
    fail('throttled')
    await outcomeOf(ask())
    expect(calls).toHaveLength(2)
  })

  it('of one call alone is not seen by the caller', async () => {
    const { ask, fail, calls } = world()
    fail('throttled')
    const asked = ask()
    await Promise.resolve()
    fail(null)
    expect((await asked).accessKeyId).toBe(`STS.${calls.length}`)
  })
})

describe('a refusal', () => {
  it('of the server’s key or role opens the circuit at once: nobody else will fare better', async () => {
    const { ask, wait, fail, calls } = world()
    fail('refused')
    expect(await outcomeOf(ask('a'))).toMatch(/^credentials-unavailable refused/)
    expect(await outcomeOf(ask('b'))).toMatch(/^credentials-unavailable unreachable/)
    expect(calls).toHaveLength(1)
    fail(null)
    wait(1)
    expect(await outcomeOf(ask('b'))).toBe('ok')
  })

  it('of one policy is that scope’s own affair', async () => {
    const { ask, fail } = world()
    fail('scope')
    for (let round = 0; round < 10; round++) expect(await outcomeOf(ask('a'))).toMatch(/^internal scope/)
    fail(null)
    expect(await outcomeOf(ask('b'))).toBe('ok')
  })
})

describe('memory', () => {
  it('is bounded: the scope least recently asked for goes first', async () => {
    const { ask, calls } = world({ maxEntries: 3 })
    for (const scope of ['a', 'b', 'c']) await ask(scope)
    await ask('a')
    await ask('d')
    await ask('a')
    await ask('c')
    await ask('d')
    expect(calls.map(({ sessionName }) => sessionName)).toEqual(['a', 'b', 'c', 'd'])
    await ask('b')
    expect(calls).toHaveLength(5)
  })
})
