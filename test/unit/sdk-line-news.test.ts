import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../client-sdk/clock.ts'
import { ClientException } from '../../client-sdk/errors.ts'
import { createLineNews } from '../../client-sdk/line-news.ts'
import { createRetryStreak } from '../../client-sdk/retry-streak.ts'

// Nobody is woken by time here.
const asleep: Clock = {
  ...systemClock,
  sleep: (_, signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
}
const living = new AbortController().signal

describe('between two attempts', () => {
  it('all who rest are woken when an end of the line is back, and told whether it is theirs', async () => {
    const news = createLineNews(asleep)
    const rests = [news.rest('oss', 10_000, living), news.rest('server', 10_000, undefined)]
    news.back('oss')
    expect(await Promise.all(rests)).toEqual([true, false])
    const next = news.rest('server', 10_000, living)
    news.back('server')
    expect(await next).toBe(true)
  })

  it('the next attempt is due when it is due', async () => {
    const news = createLineNews(systemClock)
    news.back('oss')
    expect(await news.rest('oss', 1, living)).toBe(false)
  })

  it('who is cancelled rests no longer', async () => {
    const news = createLineNews(asleep)
    const stop = new AbortController()
    const rest = news.rest('oss', 10_000, stop.signal)
    stop.abort(new Error('cancelled'))
    news.back('oss')
    await expect(rest).rejects.toThrow('cancelled')
  })

  it('the next outage begins with small back-offs and a time of its own, and attempts are counted on', async () => {
    let nowMs = 0
    const clock = { ...asleep, nowMs: () => nowMs, random: () => 0.9999 }
    const news = createLineNews(clock)
    const policy = { baseMs: 400, capMs: 10_000, maxAttempts: 5, budgetMs: 120_000 }
    const told: number[][] = []
    const streak = createRetryStreak(clock, policy, 1, ({ failures, delayMs }) => told.push([failures, delayMs]))
    const error = new ClientException('network', 'Part 1: ECONNRESET')
    const fail = (rest: () => Promise<boolean>) => streak.waitOrThrow(error, {}, living, rest)
    const passes = (ms: number) => async () => {
      nowMs += ms
      return false
    }
    await fail(passes(1000))
    await fail(passes(9000))
    const third = fail(() => news.rest('oss', 10_000, living))
    nowMs += policy.budgetMs - 10_001
    news.back('oss')
    await third
    nowMs += 1
    await fail(passes(0))
    expect(told).toEqual([
      [1, 399],
      [2, 799],
      [3, 1599],
      [4, 399],
    ])
    await expect(fail(async () => true)).rejects.toBe(error)
  })
})
