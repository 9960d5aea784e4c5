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
const times = (count: number, run: () => void) => Array.from({ length: count }, run)
const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('between two attempts', () => {
  it('all who rest are woken when an end of the line is back, and told which', async () => {
    const news = createLineNews(asleep)
    const rests = [news.rest(10_000, living), news.rest(10_000, undefined)]
    times(2, () => news.unanswered('oss'))
    news.back('oss')
    expect(await Promise.all(rests)).toEqual(['oss', 'oss'])
  })

  it('who listens to one end is not woken by the other', async () => {
    const news = createLineNews(asleep)
    const heard: unknown[] = []
    const own = news.rest(10_000, living, new Set(['oss'] as const)).then((end) => heard.push(end))
    times(2, () => news.unanswered('oss'))
    times(2, () => news.unanswered('server'))
    news.back('oss')
    await turn()
    expect(heard).toEqual([])
    news.back('server')
    await own
    expect(heard).toEqual(['server'])
  })

  it('nobody is woken by an end that gave answers all the time, or all but once, and by one that was lost, once', async () => {
    const news = createLineNews(asleep)
    const heard: unknown[] = []
    const rest = () => void news.rest(10_000, living).then((end) => heard.push(end))
    rest()
    times(2, () => news.unanswered('server'))
    news.back('oss')
    for (let time = 0; time < 3; time += 1) {
      news.unanswered('oss')
      news.back('oss')
    }
    await turn()
    expect(heard).toEqual([])
    news.back('server')
    await turn()
    rest()
    news.back('server')
    await turn()
    expect(heard).toEqual(['server'])
  })

  it('the next attempt is due when it is due', async () => {
    const news = createLineNews(systemClock)
    times(2, () => news.unanswered('oss'))
    news.back('oss')
    expect(await news.rest(1, living)).toBeUndefined()
  })

  it('who is cancelled rests no longer', async () => {
    const news = createLineNews(asleep)
    const stop = new AbortController()
    const rest = news.rest(10_000, stop.signal)
    stop.abort(new Error('cancelled'))
    times(2, () => news.unanswered('oss'))
    news.back('oss')
    await expect(rest).rejects.toThrow('cancelled')
  })
})

/** Failures of a part, on a clock that moves by what is slept, or by `passMs`. */
function setUp(policy = { baseMs: 400, capMs: 10_000, maxAttempts: 50, budgetMs: 120_000 }) {
  let nowMs = 0
  const news = createLineNews(asleep)
  const told: number[][] = []
  const clock = { ...asleep, nowMs: () => nowMs, random: () => 0.9999 }
  const onRetry = ({ failures, delayMs }: { failures: number; delayMs: number }) => told.push([failures, delayMs])
  const streak = createRetryStreak(clock, policy, 1, onRetry, news)
  const error = new ClientException('network', 'Part 1: ECONNRESET')
  const fail = () => streak.waitOrThrow(error, { isUnanswered: true }, living)
  const flap = (end: 'server' | 'oss') => {
    times(2, () => news.unanswered(end))
    news.back(end)
  }
  return {
    news,
    flap,
    told,
    error,
    fail,
    passMs(ms: number) {
      nowMs += ms
    },
  }
}

describe('a part without an answer', () => {
  it('is woken once by each end; what fails all the same keeps its back-offs and its time, whatever others hear', async () => {
    const { flap, told, error, fail, passMs } = setUp()
    const flapOften = (end: 'server' | 'oss') => times(100, () => flap(end))
    /** Whether it is tried again at once when `end` is back. */
    async function isWokenBy(end: 'server' | 'oss', failed: Promise<void>) {
      let isOver = false
      void failed.then(
        () => {
          isOver = true
        },
        () => {},
      )
      flapOften(end)
      await turn()
      return isOver
    }
    expect(await isWokenBy('server', fail())).toBe(true)
    passMs(1000)
    const second = fail()
    expect(await isWokenBy('server', second)).toBe(false)
    expect(await isWokenBy('oss', second)).toBe(true)
    passMs(1000)
    const third = fail()
    expect(await isWokenBy('oss', third)).toBe(false)
    expect(await isWokenBy('server', third)).toBe(false)
    expect(told).toEqual([
      [1, 399],
      [2, 799],
      [3, 1599],
    ])
    passMs(118_000)
    await expect(fail()).rejects.toBe(error)
  })

  it('is left to its back-off, where it fails alone, by all the others that succeed', async () => {
    const { news, fail } = setUp()
    let isOver = false
    void fail().then(() => {
      isOver = true
    })
    times(100, () => news.back('oss'))
    await turn()
    expect(isOver).toBe(false)
  })

  it('is woken by nobody where there was an answer', async () => {
    const news = createLineNews(asleep)
    const slept: number[] = []
    const clock = { ...systemClock, random: () => 0.5, sleep: async (ms: number) => void slept.push(ms) }
    const policy = { baseMs: 400, capMs: 10_000, maxAttempts: 5, budgetMs: 120_000 }
    const streak = createRetryStreak(clock, policy, 1, undefined, news)
    await streak.waitOrThrow(new ClientException('network', 'slow down'), { status: 503 }, living)
    expect(slept).toEqual([200])
  })

  it('is not given up for an hour that the machine slept through', async () => {
    const machine = { nowMs: 0, sleepsMs: 0 }
    const clock: Clock = {
      ...systemClock,
      nowMs: () => machine.nowMs,
      random: () => 0.5,
      async sleep(ms) {
        machine.nowMs += ms + machine.sleepsMs
      },
    }
    const policy = { baseMs: 400, capMs: 10_000, maxAttempts: 50, budgetMs: 120_000 }
    for (const news of [createLineNews(clock), undefined]) {
      const streak = createRetryStreak(clock, policy, 1, undefined, news)
      const error = new ClientException('network', 'Part 1: ECONNRESET')
      const fail = () => streak.waitOrThrow(error, { isUnanswered: true }, living)
      machine.sleepsMs = 3_600_000
      await fail()
      await fail()
      machine.sleepsMs = 0
      machine.nowMs += 119_000
      await fail()
      machine.nowMs += 1_000
      await expect(fail()).rejects.toBe(error)
    }
  })
})
