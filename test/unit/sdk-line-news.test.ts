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
  it('all who rest are woken when an end of the line is back, and told which', async () => {
    const news = createLineNews(asleep)
    const rests = [news.rest(10_000, living), news.rest(10_000, undefined)]
    news.back('oss')
    expect(await Promise.all(rests)).toEqual(['oss', 'oss'])
    const own = news.rest(10_000, living, 'server')
    news.back('oss')
    news.back('server')
    expect(await own).toBe('server')
  })

  it('the next attempt is due when it is due', async () => {
    const news = createLineNews(systemClock)
    news.back('oss')
    expect(await news.rest(1, living)).toBeUndefined()
  })

  it('who is cancelled rests no longer', async () => {
    const news = createLineNews(asleep)
    const stop = new AbortController()
    const rest = news.rest(10_000, stop.signal)
    stop.abort(new Error('cancelled'))
    news.back('oss')
    await expect(rest).rejects.toThrow('cancelled')
  })
})

/** Failures of a part, on a clock that moves by what is slept, or by `passMs`. */
function setUp(policy = { baseMs: 400, capMs: 10_000, maxAttempts: 50, budgetMs: 120_000 }) {
  let nowMs = 0
  const news = createLineNews(asleep)
  const listening: (string | undefined)[] = []
  const told: number[][] = []
  const clock = { ...asleep, nowMs: () => nowMs, random: () => 0.9999 }
  const rest: typeof news.rest = (ms, signal, only) => {
    listening.push(only)
    return news.rest(ms, signal, only)
  }
  const onRetry = ({ failures, delayMs }: { failures: number; delayMs: number }) => told.push([failures, delayMs])
  const streak = createRetryStreak(clock, policy, 1, onRetry, { ...news, rest })
  const error = new ClientException('network', 'Part 1: ECONNRESET')
  const fail = () => streak.waitOrThrow(error, { isUnanswered: true }, living)
  return {
    news,
    told,
    listening,
    error,
    fail,
    passMs(ms: number) {
      nowMs += ms
    },
  }
}

describe('a part without an answer', () => {
  it('begins the next outage with small back-offs and a time of its own, and counts attempts on', async () => {
    const { news, told, error, fail, passMs } = setUp({
      baseMs: 400,
      capMs: 10_000,
      maxAttempts: 4,
      budgetMs: 120_000,
    })
    const first = fail()
    passMs(119_999)
    news.back('server')
    await first
    const second = fail()
    news.back('oss')
    await second
    passMs(1)
    const third = fail()
    news.back('oss')
    await third
    expect(told).toEqual([
      [1, 399],
      [2, 799],
      [3, 399],
    ])
    await expect(fail()).rejects.toBe(error)
  })

  it('is woken once by the other end in an outage: a server that comes and goes uses up no attempts', async () => {
    const { news, listening, error, fail, passMs } = setUp()
    const attempt = async () => {
      const failed = fail()
      for (let flap = 0; flap < 100; flap += 1) news.back('server')
      passMs(1000)
      // In place of time.
      news.back('oss')
      await failed
    }
    for (let outage = 0; outage < 2; outage += 1) {
      const woken = fail()
      news.back('server')
      await woken
      await attempt()
    }
    expect(listening).toEqual([undefined, 'oss', undefined, 'oss'])
    const last = fail()
    news.back('server')
    await last
    passMs(120_000)
    await expect(fail()).rejects.toBe(error)
  })

  it('is woken by nobody where there was an answer', async () => {
    const { news } = setUp()
    const slept: number[] = []
    const clock = { ...systemClock, random: () => 0.5, sleep: async (ms: number) => void slept.push(ms) }
    const policy = { baseMs: 400, capMs: 10_000, maxAttempts: 5, budgetMs: 120_000 }
    const streak = createRetryStreak(clock, policy, 1, undefined, news)
    await streak.waitOrThrow(new ClientException('network', 'slow down'), { status: 503 }, living)
    expect(slept).toEqual([200])
  })
})
