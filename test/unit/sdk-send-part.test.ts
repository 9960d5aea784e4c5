import { describe, expect, it, vi } from 'vitest'
import { bytesBody } from '../../client-sdk/byte-source.ts'
import { createServerClock, systemClock } from '../../client-sdk/clock.ts'
import { ClientException } from '../../client-sdk/errors.ts'
import { createGrantAges } from '../../client-sdk/grant-age.ts'
import { createLineNews } from '../../client-sdk/line-news.ts'
import { createLineSpeed } from '../../client-sdk/line-speed.ts'
import { type PartReply, type PartRequestToSend, TransportException } from '../../client-sdk/part-transport.ts'
import { createProgressMeter } from '../../client-sdk/progress.ts'
import type { RetryNotice } from '../../client-sdk/retry-streak.ts'
import { createRunGate, pausedReason } from '../../client-sdk/run-gate.ts'
import { type SendPartDeps, sendPart } from '../../client-sdk/send-part.ts'
import { createSendWindow } from '../../client-sdk/send-window.ts'

type Attempt = (request: PartRequestToSend) => Promise<PartReply>

const stored: Attempt = async () => ({ status: 200, header: () => null, text: '' })
const refused =
  (status: number, code: string): Attempt =>
  async () => ({ status, header: () => null, text: `<Error><Code>${code}</Code></Error>` })
const fails =
  (isOpaque: boolean): Attempt =>
  () =>
    Promise.reject(new TransportException('ECONNRESET', { isOpaque }))

/** Sends one part of eight bytes over a transport whose attempts go as told. Grants are numbered in their URLs. */
function setUp(attempts: Attempt[], changes: Partial<SendPartDeps> = {}) {
  const bytes = new Uint8Array(8).fill(5)
  const urls: string[] = []
  const retries: RetryNotice[] = []
  let grants = 0
  const nextGrant = (lifeMs = 900_000) => {
    grants += 1
    const expiresAt = new Date(Date.now() + lifeMs).toISOString()
    return {
      partNumber: 1,
      method: 'PUT' as const,
      url: `http://oss/grant-${grants}`,
      headers: {},
      sizeBytes: 8,
      expiresAt,
    }
  }
  const clock = { ...systemClock, sleep: async (_: number, signal?: AbortSignal) => signal?.throwIfAborted() }
  const serverClock = createServerClock(clock)
  const meter = createProgressMeter(8, () => 0)
  const source = {
    name: 'x',
    sizeBytes: 8,
    read: async () => bytes,
    async *stream() {
      yield bytes
    },
    checkUnchanged: async () => {},
    close: async () => {},
  }
  const deps: SendPartDeps = {
    source,
    plan: { sizeBytes: 8, partSizeBytes: 8, partCount: 1 },
    hashing: { digest: async () => ({ md5: 'AAAAAAAAAAAAAAAAAAAAAA==', crc64: 1n }), crc64: async () => 1n },
    transport: {
      async send(request) {
        urls.push(request.url)
        const attempt = attempts[Math.min(urls.length, attempts.length) - 1] ?? stored
        return attempt(request)
      },
    },
    grants: { ask: async () => nextGrant() },
    ages: createGrantAges(serverClock),
    gate: createRunGate(),
    run: {},
    clock,
    serverClock,
    meter,
    retry: { baseMs: 1, capMs: 10, maxAttempts: 3, budgetMs: 60_000 },
    line: createLineSpeed(),
    news: createLineNews(changes.clock ?? clock),
    window: createSendWindow(4),
    stallTimeoutMs: 1000,
    onMoved: () => {},
    onRetry: (notice) => retries.push(notice),
    onUploadMissing: async () => {},
    ...changes,
  }
  const part = {
    partNumber: 1,
    body: bytesBody(bytes),
    digest: { md5: 'AAAAAAAAAAAAAAAAAAAAAA==', crc64: 1n },
    release: () => {},
  }
  const controller = new AbortController()
  const run = (grant = nextGrant()) => sendPart(deps, { ...part, grant }, controller.signal)
  return { run, urls, retries, meter, deps, controller, nextGrant }
}

describe('one part', () => {
  it('keeps its grant after a failure that everybody can see', async () => {
    const { run, urls, retries } = setUp([fails(false), fails(true), fails(false), stored])
    await run()
    expect(urls).toEqual([1, 1, 2, 2].map((number) => `http://oss/grant-${number}`))
    expect(retries).toHaveLength(2)
  })

  it('is tried again at once when the server, or OSS, answers again', async () => {
    for (const end of ['server', 'oss'] as const) {
      const forever = (_: number, signal?: AbortSignal) =>
        new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
      const clock = { ...systemClock, sleep: forever }
      const news = createLineNews(clock)
      const { run, urls, retries } = setUp([fails(false), stored], { clock, news })
      const sent = run()
      await vi.waitFor(() => expect(retries).toHaveLength(1))
      await vi.waitFor(() => {
        news.unanswered(end)
        news.unanswered(end)
        news.back(end)
        expect(urls).toHaveLength(2)
      })
      await sent
    }
  })

  it('gets another grant after a failure nobody can see into, at no cost, three times', async () => {
    const { run, urls, retries } = setUp([fails(true), fails(true), fails(true), stored], {
      retry: { baseMs: 1, capMs: 1, maxAttempts: 1, budgetMs: 1000 },
    })
    await run()
    expect(urls).toEqual([1, 2, 3, 4].map((number) => `http://oss/grant-${number}`))
    expect(retries).toEqual([])
  })

  it('does not loop for ever on opaque failures', async () => {
    const { run, urls } = setUp([fails(true)])
    await expect(run()).rejects.toMatchObject({ code: 'network' })
    expect(urls).toHaveLength(3 + 3)
  })

  it('does not loop for ever on refused grants', async () => {
    const { run, urls } = setUp([refused(403, 'AccessDenied')])
    await expect(run()).rejects.toMatchObject({ from: 'oss', status: 403 })
    expect(urls).toHaveLength(4)
  })

  it('replaces a grant near its end before it is used', async () => {
    const { run, urls, deps, nextGrant } = setUp([stored])
    const old = nextGrant(100_000)
    deps.ages.received(old)
    const later = { ...deps, serverClock: { ...deps.serverClock, nowMs: () => Date.now() + 90_000 } }
    Object.assign(deps, { ages: createGrantAges(later.serverClock) })
    await run(old)
    expect(urls).toEqual(['http://oss/grant-2'])
  })

  it('waits while there is no network, and starts no attempt', async () => {
    let goOnline = () => {}
    const network = new Promise<void>((resolve) => {
      goOnline = resolve
    })
    const { run, urls, deps } = setUp([stored])
    Object.assign(deps, { clock: { ...deps.clock, online: () => network } })
    const sending = run()
    await new Promise((resolve) => setImmediate(resolve))
    expect(urls).toEqual([])
    goOnline()
    await sending
    expect(urls).toHaveLength(1)
  })

  it('takes bytes of a failed attempt out of what is in flight', async () => {
    const half: Attempt = async (request) => {
      request.onProgress(4)
      throw new TransportException('ECONNRESET')
    }
    const { run, meter } = setUp([half, half, half])
    await expect(run()).rejects.toMatchObject({ code: 'network' })
    meter.begin(0)
    expect(meter.read().sentBytes).toBe(12)
  })

  it('asks what became of the upload when OSS does not know it, and believes the answer', async () => {
    const gone = new Error('gone')
    const { run } = setUp([refused(404, 'NoSuchUpload')], { onUploadMissing: () => Promise.reject(gone) })
    await expect(run()).rejects.toBe(gone)
  })

  it('ends an attempt that stands still, and one that is cancelled', async () => {
    const still: Attempt = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    const stalled = setUp([still, stored], { stallTimeoutMs: 5 })
    await stalled.run()
    expect(stalled.retries[0]?.error.message).toContain('no byte moved')
    const cancelled = setUp([still])
    const sending = cancelled.run()
    cancelled.controller.abort(new Error('stop'))
    await expect(sending).rejects.toThrow('stop')
  })

  it('is given twice the time after each attempt that stood still', async () => {
    const still: Attempt = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    const { run, retries } = setUp([still, still, still, stored], {
      stallTimeoutMs: 100,
      retry: { baseMs: 1, capMs: 1, maxAttempts: 9, budgetMs: 60_000 },
    })
    await run()
    expect(retries.map(({ error }) => error.message.match(/moved for (.*) s/)?.[1])).toEqual(['0.1', '0.2', '0.4'])
  })

  it('is not given up while bytes move, or for having been paused, only for an outage that lasts', async () => {
    let nowMs = 0
    const clock = { ...systemClock, nowMs: () => nowMs, sleep: async () => {} }
    const retry = { baseMs: 1, capMs: 1, maxAttempts: 99, budgetMs: 120_000 }
    /** Moves bytes for five minutes, and says nothing more for `silentMs` before it breaks. */
    const breaks =
      (silentMs: number): Attempt =>
      async ({ onProgress }) => {
        nowMs += 300_000
        onProgress(4)
        nowMs += silentMs
        throw new TransportException('ECONNRESET')
      }
    const moving = setUp([breaks(0), breaks(0), breaks(0), stored], { clock, retry })
    await moving.run()
    expect(moving.urls).toHaveLength(4)
    const silent = setUp([breaks(50_000)], { clock, retry, stallTimeoutMs: 60_000 })
    await expect(silent.run()).rejects.toMatchObject({ code: 'network' })
    // The silence of the first attempt came before the first failure.
    expect(silent.urls).toHaveLength(4)
    const paused = setUp([], { clock, retry })
    let sends = 0
    const pausedAtFirst: Attempt = async () => {
      sends += 1
      if (sends > 3) return { status: 200, header: () => null, text: '' }
      paused.deps.gate.pause()
      setImmediate(() => {
        nowMs += 3_600_000
        paused.deps.gate.resume()
      })
      throw new TransportException('ECONNRESET')
    }
    Object.assign(paused.deps.transport, { send: pausedAtFirst })
    await paused.run()
    expect(sends).toBe(4)
  })

  it('is no failure of the part when it is paused: the attempt is made again, without a wait', async () => {
    const still: Attempt = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    const { run, deps, urls, retries } = setUp([still, stored])
    const sending = run()
    await new Promise((resolve) => setImmediate(resolve))
    deps.gate.pause()
    await new Promise((resolve) => setImmediate(resolve))
    expect(urls).toHaveLength(1)
    deps.gate.resume()
    await sending
    expect(urls).toHaveLength(2)
    expect(retries).toEqual([])
  })

  it('asks for another grant when it goes on, where a pause dropped the asking: it holds no place, and no outage goes on meanwhile', async () => {
    for (const first of [refused(403, 'AccessDenied'), fails(true)]) {
      let nowMs = 0
      const clock = { ...systemClock, nowMs: () => nowMs, sleep: async () => {} }
      const retry = { baseMs: 1, capMs: 1, maxAttempts: 9, budgetMs: 60_000 }
      const window = createSendWindow(1)
      const attempts = [fails(false), first, fails(false), stored]
      const { run, deps, urls, nextGrant } = setUp(attempts, { clock, retry, window })
      let asked = 0
      const ask = async () => {
        asked += 1
        // The server takes its time, too.
        nowMs += 600_000
        if (asked > 1) return nextGrant()
        deps.gate.pause()
        throw pausedReason
      }
      Object.assign(deps, { grants: { ask } })
      const sending = run()
      await vi.waitFor(() => expect(deps.gate.isPaused).toBe(true))
      const stop = new AbortController()
      const place = await window.enter(stop.signal)
      place.leave()
      expect([asked, urls.length]).toEqual([1, 2])
      nowMs += 600_000
      deps.gate.resume()
      await sending
      expect(urls).toEqual([1, 1, 2, 2].map((number) => `http://oss/grant-${number}`))
    }
  })

  it('is not given up for an hour that the machine slept through in the middle of an attempt', async () => {
    let nowMs = 0
    const clock = { ...systemClock, nowMs: () => nowMs, sleep: async () => {} }
    const sleeps: Attempt = async () => {
      nowMs += 3_600_000
      throw new TransportException('the device slept meanwhile')
    }
    const { run, urls } = setUp([sleeps, sleeps, sleeps, stored], {
      clock,
      retry: { baseMs: 1, capMs: 1, maxAttempts: 9, budgetMs: 120_000 },
    })
    await run()
    expect(urls).toHaveLength(4)
  })

  it('tells others what it hears of OSS', async () => {
    const told: string[] = []
    const { run, deps } = setUp([fails(false), refused(503, 'SlowDown'), fails(false), stored], {
      retry: { baseMs: 1, capMs: 1, maxAttempts: 9, budgetMs: 60_000 },
    })
    const { news } = deps
    const tell = (what: string) => (end: string) => void told.push(`${end} ${what}`)
    deps.news = { ...news, unanswered: tell('unanswered'), back: tell('back') }
    await run()
    expect(told).toEqual(['oss unanswered', 'oss unanswered', 'oss back'])
  })

  it('says why the platform hides the answer, when that can be found out, instead of trying for minutes', async () => {
    const asked: string[] = []
    const { run, urls } = setUp([fails(true)], {
      explainFailure: async (url, of) => {
        asked.push(`${of} ${url}`)
        return new ClientException('cors-blocked', 'no CORS rule')
      },
    })
    await expect(run()).rejects.toMatchObject({ code: 'cors-blocked' })
    expect(urls).toHaveLength(2)
    expect(asked).toEqual(['oss http://oss/grant-2'])
  })

  it('goes on when nobody can tell why the answer is hidden', async () => {
    const { run, urls } = setUp([fails(true), fails(true), stored], { explainFailure: async () => undefined })
    await run()
    expect(urls).toHaveLength(3)
  })

  it('tells that checksums cannot be read, and takes the part for stored', async () => {
    let told = 0
    const onHeadersHidden = () => {
      told += 1
    }
    await setUp([stored], { onHeadersHidden }).run()
    expect(told).toBe(1)
    const header = (name: string) => (name === 'x-oss-hash-crc64ecma' ? '1' : null)
    await setUp([async () => ({ status: 200, header, text: '' })], { onHeadersHidden }).run()
    expect(told).toBe(1)
  })

  it('drops a silent request when the device wakes up, and keeps one whose bytes move', async () => {
    let wake = () => {}
    let nowMs = 0
    const lifecycle = {
      onHide: () => () => {},
      onWake: (run: () => void) => {
        wake = run
        return () => {}
      },
    }
    let release = () => {}
    const still: Attempt = ({ signal }) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        release = () => resolve({ status: 200, header: () => null, text: '' })
      })
    const { run, urls, deps, retries } = setUp([still], { lifecycle, stallTimeoutMs: 100_000 })
    Object.assign(deps, { clock: { ...deps.clock, nowMs: () => nowMs } })
    const sending = run()
    await until(() => urls.length === 1)
    nowMs += 4000
    wake()
    await new Promise((resolve) => setImmediate(resolve))
    expect(urls).toHaveLength(1)
    nowMs += 60_000
    wake()
    await until(() => urls.length === 2)
    expect(retries[0]?.error).toMatchObject({ code: 'network' })
    release()
    await sending
  })

  it('takes a place for each attempt, and none while it waits for the next', async () => {
    let taken = 0
    const takenInWaits: number[] = []
    const limiter = {
      async acquire() {
        taken += 1
        return () => {
          taken -= 1
        }
      },
    }
    const clock = { ...systemClock, sleep: async () => void takenInWaits.push(taken) }
    const { run, deps } = setUp([fails(false), refused(403, 'AccessDenied'), stored], { limiter, clock })
    const send = deps.transport.send
    Object.assign(deps.transport, {
      send: (request: Parameters<typeof send>[0]) => {
        expect(taken).toBe(1)
        return send(request)
      },
    })
    await run()
    expect(takenInWaits).toEqual([0])
    expect(taken).toBe(0)
  })

  it('gives its place back when no grant can be had', async () => {
    let taken = 0
    const limiter = {
      async acquire() {
        taken += 1
        return () => {
          taken -= 1
        }
      },
    }
    const { run, deps, nextGrant } = setUp([stored], { limiter })
    Object.assign(deps, { grants: { ask: () => Promise.reject(new Error('no grant')) } })
    await expect(run(nextGrant(-1000))).rejects.toThrow('no grant')
    expect(taken).toBe(0)
  })

  describe('behind another one that holds the only place for longer than an outage may last', () => {
    /** Both fail at first, and then the other one has the place; `attempt` is what becomes of it there. */
    const sendBehind = async (attempt: (pass: () => void) => Attempt) => {
      let nowMs = 0
      const budgetMs = 60_000
      const pass = () => {
        nowMs += 2 * budgetMs
      }
      const { run, urls } = setUp([fails(false), fails(false), attempt(pass), fails(false), stored], {
        clock: { ...systemClock, nowMs: () => nowMs, sleep: async () => {} },
        retry: { baseMs: 1, capMs: 10, maxAttempts: 9, budgetMs },
        stallTimeoutMs: 3 * budgetMs,
      })
      const endings = [run(), run()].map((sending) =>
        sending.then(
          () => 'stored',
          (error) => error.code,
        ),
      )
      return [...(await Promise.all(endings)), urls.length]
    }

    it('gives up when nothing moved there either', async () => {
      const standsStill =
        (pass: () => void): Attempt =>
        async () => {
          pass()
          throw new TransportException('ECONNRESET')
        }
      expect(await sendBehind(standsStill)).toEqual(['network', 'network', 4])
    })

    it('goes on when that one waited for a grant: that was no outage of OSS', async () => {
      let nowMs = 0
      const budgetMs = 60_000
      const retry = { baseMs: 1, capMs: 10, maxAttempts: 9, budgetMs }
      const clock = { ...systemClock, nowMs: () => nowMs, sleep: async () => {} }
      const { run, deps, urls, nextGrant } = setUp([...Array(5).fill(fails(false)), stored], {
        clock,
        retry,
      })
      let asked = 0
      const ask = async () => {
        asked += 1
        if (asked === 1) return nextGrant(-1000)
        await new Promise((resolve) => setImmediate(resolve))
        // The other one waits by now.
        nowMs += 2 * budgetMs
        return nextGrant()
      }
      Object.assign(deps, { grants: { ask } })
      await Promise.all([run(nextGrant(-1000)), run()])
      expect([asked, urls.length]).toEqual([2, 7])
    })

    it('goes on when that one was stored: there was no outage', async () => {
      const isStored =
        (pass: () => void): Attempt =>
        async (request) => {
          pass()
          return stored(request)
        }
      expect(await sendBehind(isStored)).toEqual(['stored', 'stored', 5])
    })

    it('goes on when bytes of that one moved until it broke too', async () => {
      const moves =
        (pass: () => void): Attempt =>
        async ({ onProgress }) => {
          pass()
          onProgress(4)
          throw new TransportException('ECONNRESET')
        }
      expect(await sendBehind(moves)).toEqual(['stored', 'stored', 6])
    })
  })
})

/** Looks again after every turn of the event loop. */
async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise((resolve) => setImmediate(resolve))
}
