import { describe, expect, it, vi } from 'vitest'
import { createBearerToken } from '../../client-sdk/bearer-token.ts'
import { createServerClock, systemClock } from '../../client-sdk/clock.ts'
import type { Upload } from '../../client-sdk/contract/upload.ts'
import { createLineNews } from '../../client-sdk/line-news.ts'
import { planOf } from '../../client-sdk/open-session.ts'
import { request } from '../../client-sdk/request.ts'
import { createUploadApi, type UploadApi } from '../../client-sdk/upload-api.ts'

type Answer = () => Response | Promise<Response>

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })
const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  json(status, { type: `https://x/${code}`, title: code, status, code, instance: 'req-1' }, headers)

/** A server that gives the answers in turn, and a clock whose sleeps take no time. */
function setUp(answers: Answer[], tokens = ['first-secret', 'second-secret', 'third-secret']) {
  const calls: { url: string; authorization: string | null; body: unknown }[] = []
  const slept: number[] = []
  let asked = 0
  const clock = {
    ...systemClock,
    random: () => 0,
    async sleep(ms: number, signal?: AbortSignal) {
      signal?.throwIfAborted()
      slept.push(ms)
    },
  }
  const serverClock = createServerClock(clock)
  const deps = {
    baseUrl: 'http://server.test/base/',
    token: createBearerToken(() => tokens[Math.min(asked++, tokens.length - 1)] ?? ''),
    clock,
    serverClock,
    news: createLineNews(clock),
    retry: { baseMs: 100, capMs: 1000, maxAttempts: 4, budgetMs: 60_000 },
    fetch: (async (url: string, init: RequestInit) => {
      init.signal?.throwIfAborted()
      const headers = new Headers(init.headers)
      calls.push({ url, authorization: headers.get('authorization'), body: init.body })
      const answer = answers[Math.min(calls.length - 1, answers.length - 1)]
      return answer ? answer() : json(200, {})
    }) as typeof fetch,
  }
  return { deps, calls, slept, serverClock, timesAsked: () => asked }
}

const get = { method: 'GET', path: '/v1/uploads' } as const
const refused = () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNREFUSED' } }))

describe('a request to the server', () => {
  it('joins base URL, path and query, and carries the token', async () => {
    const { deps, calls } = setUp([() => json(200, { fine: true })])
    const reply = await request(deps, { ...get, query: { limit: 5, cursor: undefined, state: 'uploading' } })
    expect(reply).toEqual({ status: 200, body: { fine: true } })
    expect(calls[0]?.url).toBe('http://server.test/base/v1/uploads?limit=5&state=uploading')
    expect(calls[0]?.authorization).toBe('Bearer first-secret')
  })

  it('waits out 503 as long as Retry-After asks, then goes on', async () => {
    const { deps, slept } = setUp([
      () => problem(503, 'storage-unavailable', { 'retry-after': '3' }),
      () => problem(429, 'rate-limited', { 'retry-after': '2' }),
      () => json(200, {}),
    ])
    await request(deps, get)
    expect(slept).toEqual([3000, 2000])
  })

  it('waits for room under a quota as long as it is asked to, and tells the caller when none comes', async () => {
    const full = () => problem(429, 'quota-exceeded', { 'retry-after': '30' })
    const freed = setUp([full, full, () => json(201, {})])
    expect((await request(freed.deps, get)).status).toBe(201)
    expect(freed.slept).toEqual([30_000, 30_000])
    const { deps, calls, slept } = setUp([full])
    await expect(request(deps, get)).rejects.toMatchObject({ code: 'quota-exceeded', retryAfterMs: 30_000 })
    expect([calls.length, slept.length]).toEqual([4, 3])
  })

  it('tries lost connections again, and at the end names the server and the reason', async () => {
    const { deps, calls } = setUp([refused])
    await expect(request(deps, get)).rejects.toMatchObject({
      code: 'network',
      message: 'The server at http://server.test cannot be reached: ECONNREFUSED',
    })
    expect(calls).toHaveLength(4)
  })

  it('is made again at once when another call, or a part, got through', async () => {
    const forever = (_: number, signal?: AbortSignal) =>
      new Promise<never>((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
    for (const end of ['server', 'oss'] as const) {
      const { deps, calls } = setUp([refused, () => json(200, {})])
      const news = createLineNews({ sleep: forever })
      const made = request({ ...deps, news }, get)
      await vi.waitFor(() => {
        news.unanswered(end)
        news.unanswered(end)
        news.back(end)
        expect(calls).toHaveLength(2)
      })
      expect((await made).status).toBe(200)
    }
  })

  it('tells of a server that gives no answer, and of one that does its work again or says what is wrong', async () => {
    const busy = () => problem(503, 'storage-unavailable')
    const told = async (...answers: Answer[]) => {
      const news: string[] = []
      const { deps } = setUp(answers)
      const listening = {
        ...deps.news,
        unanswered: () => void news.push('unanswered'),
        back: () => void news.push('back'),
      }
      await request({ ...deps, news: listening }, get).catch(() => {})
      return news
    }
    // Of a server that is half broken, 503 comes between refused connections.
    expect(await told(refused, busy, () => json(200, {}))).toEqual(['unanswered', 'back'])
    expect(await told(refused, () => problem(409, 'parts-missing'))).toEqual(['unanswered', 'back'])
    expect(await told(busy, busy, busy, busy)).toEqual([])
  })

  it('is not given up for the time that there is no network, or that the machine sleeps through', async () => {
    const hour = 3_600_000
    for (const isOffline of [true, false]) {
      const { deps, calls } = setUp([refused, refused, refused, () => json(200, {})])
      let nowMs = 0
      const clock = {
        ...deps.clock,
        nowMs: () => nowMs,
        async online() {
          if (isOffline) nowMs += hour
        },
      }
      const fetch = (async (...args: Parameters<typeof deps.fetch>) => {
        if (!isOffline) nowMs += hour
        return deps.fetch(...args)
      }) as typeof deps.fetch
      await request({ ...deps, clock, fetch, retry: { ...deps.retry, budgetMs: 120_000 } }, get)
      expect(calls).toHaveLength(4)
    }
  })

  it('throws the problem at once when asking again cannot help', async () => {
    const { deps, calls } = setUp([() => problem(409, 'parts-missing')])
    await expect(request(deps, get)).rejects.toMatchObject({
      from: 'server',
      status: 409,
      code: 'parts-missing',
      requestId: 'req-1',
    })
    expect(calls).toHaveLength(1)
  })

  it('asks for another token once after a 401, whatever number of calls were refused', async () => {
    const { deps, calls, timesAsked } = setUp([
      () => problem(401, 'unauthenticated'),
      () => problem(401, 'unauthenticated'),
      () => problem(401, 'unauthenticated'),
      () => json(200, {}),
    ])
    await Promise.all([request(deps, get), request(deps, get), request(deps, get)])
    expect(timesAsked()).toBe(2)
    expect(calls.map((call) => call.authorization)).toEqual([
      ...Array(3).fill('Bearer first-secret'),
      ...Array(3).fill('Bearer second-secret'),
    ])
  })

  it('asks for one other token, too, when a second refusal comes while that one is being obtained', async () => {
    const giving: ((token: string) => void)[] = []
    const token = createBearerToken(() => new Promise((resolve) => giving.push(resolve)))
    const gotten = [token.get({ timeoutMs: 10_000 })]
    await vi.waitFor(() => expect(giving).toHaveLength(1))
    giving[0]?.('old')
    await gotten[0]
    for (let refusal = 1; refusal <= 2; refusal++) {
      token.refuse('old')
      gotten.push(token.get({ timeoutMs: 10_000 }))
      await vi.waitFor(() => expect(giving.length).toBeGreaterThan(1))
    }
    giving[1]?.('new')
    expect(await Promise.all(gotten)).toEqual(['old', 'new', 'new'])
    expect(giving).toHaveLength(2)
  })

  it('gives up when the fresh token is refused too, without telling it to anybody', async () => {
    const { deps, calls } = setUp([() => problem(401, 'unauthenticated')])
    const error = await request(deps, get).catch((thrown) => thrown)
    expect(error).toMatchObject({ status: 401, code: 'unauthenticated' })
    expect(JSON.stringify([error.message, error.stack, error])).not.toContain('secret')
    expect(calls).toHaveLength(2)
  })

  it('survives a proxy’s page: retries 502, refuses a 200 that is not JSON', async () => {
    const page = () => new Response('<html>Bad gateway</html>', { status: 502 })
    const good = setUp([page, () => json(200, {})])
    await expect(request(good.deps, get)).resolves.toMatchObject({ status: 200 })
    const odd = setUp([() => new Response('<html>Log in</html>', { status: 200 })])
    await expect(request(odd.deps, get)).rejects.toMatchObject({ code: 'invalid-reply' })
    expect(odd.calls).toHaveLength(1)
  })

  it('takes no token that cannot stand in a header, and never repeats it', async () => {
    for (const token of ['', 'a\nsecret', 'b secret', 'ü', undefined as unknown as string]) {
      const { deps, calls, slept } = setUp([() => json(200, {})])
      deps.token = createBearerToken(() => token)
      const error = await request(deps, get).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'invalid-argument' })
      expect(error.message).not.toContain('secret')
      expect([calls, slept]).toEqual([[], []])
    }
  })

  it('ends at once when the token cannot be had, and asks for it anew the next time', async () => {
    const { deps, calls, slept } = setUp([() => json(200, {})])
    const broken = new Error('no session')
    const answers: (() => string | Promise<string>)[] = [() => Promise.reject(broken), () => 'fine']
    deps.token = createBearerToken(() => answers.shift()?.() ?? '')
    await expect(request(deps, get)).rejects.toMatchObject({ code: 'token-unavailable', cause: broken })
    expect([calls, slept]).toEqual([[], []])
    await expect(request(deps, get)).resolves.toMatchObject({ status: 200 })
  })

  it('asks for the token anew where it failed after the call that wanted it was dropped', async () => {
    const { deps } = setUp([() => json(200, {})])
    const giving: { resolve(token: string): void; reject(error: unknown): void }[] = []
    deps.token = createBearerToken(() => new Promise((resolve, reject) => giving.push({ resolve, reject })))
    const stop = new AbortController()
    const dropped = request(deps, { ...get, signal: stop.signal })
    await vi.waitFor(() => expect(giving).toHaveLength(1))
    stop.abort(new Error('paused'))
    await expect(dropped).rejects.toThrow('paused')
    giving[0]?.reject(new Error('no session'))
    await new Promise((resolve) => setImmediate(resolve))
    const next = request(deps, get)
    await vi.waitFor(() => expect(giving).toHaveLength(2))
    giving[1]?.resolve('fine')
    expect((await next).status).toBe(200)
  })

  it('waits for a token that never comes no longer than its time limit or its signal', async () => {
    const { deps } = setUp([() => json(200, {})])
    deps.token = createBearerToken(() => new Promise(() => {}))
    await expect(request(deps, { ...get, timeoutMs: 5 })).rejects.toMatchObject({ code: 'token-unavailable' })
    const controller = new AbortController()
    const waiting = request(deps, { ...get, signal: controller.signal })
    setImmediate(() => controller.abort(new Error('enough')))
    await expect(waiting).rejects.toThrow('enough')
  })

  it('ends an attempt that gets no answer, and tries again', async () => {
    const silent: Answer = () => new Promise(() => {})
    const { deps, calls } = setUp([silent, () => json(200, {})])
    const fetchOnce = deps.fetch
    deps.fetch = ((url: string, init: RequestInit) =>
      Promise.race([
        fetchOnce(url, init),
        new Promise((_, reject) => init.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
      ])) as typeof fetch
    await request(deps, { ...get, timeoutMs: 5 })
    expect(calls).toHaveLength(2)
  })

  it('stops with the reason of its signal, also while it waits to try again', async () => {
    const { deps } = setUp([() => problem(503, 'storage-unavailable')])
    const controller = new AbortController()
    const reason = new Error('enough')
    deps.clock.sleep = async () => {
      controller.abort(reason)
      throw reason
    }
    await expect(request(deps, { ...get, signal: controller.signal })).rejects.toBe(reason)
  })

  it('learns the server’s clock from the Date header', async () => {
    const { deps, serverClock } = setUp([() => json(200, {}, { date: new Date(Date.now() + 3_600_000).toUTCString() })])
    await request(deps, get)
    expect(Math.abs(serverClock.nowMs() - Date.now() - 3_600_000)).toBeLessThan(3000)
  })
})

describe('an answer without what the contract promises', () => {
  const upload = {
    id: 'u',
    state: 'uploading',
    key: 'k',
    sizeBytes: 8,
    partSizeBytes: 8,
    partCount: 1,
    etag: null,
    crc64: null,
  }
  const grant = {
    partNumber: 1,
    method: 'PUT',
    url: 'http://oss/x',
    headers: {},
    sizeBytes: 8,
    expiresAt: '2030-01-01T00:00:00Z',
  }
  const apiOver = (body: unknown) => {
    const server = setUp([() => json(200, body)])
    return { api: createUploadApi((call) => request(server.deps, call)), calls: server.calls }
  }

  it('is `invalid-reply`, and is not asked for again', async () => {
    const wrong: [unknown, (api: UploadApi) => Promise<unknown>][] = [
      [{}, (api) => api.getUpload('u')],
      [[], (api) => api.getTime()],
      [{ upload: { ...upload, partSizeBytes: '8' } }, (api) => api.getUpload('u')],
      [{ upload }, (api) => api.createUpload({ fileName: 'x', sizeBytes: 8 } as never)],
      [{ grants: [{ ...grant, url: 'http://' }] }, (api) => api.grantParts('u', [])],
      [{ grants: [{ ...grant, headers: { a: 'b\nc' } }] }, (api) => api.grantParts('u', [])],
      [{ grants: null }, (api) => api.grantParts('u', [])],
      [{ parts: [{}], nextAfter: null }, (api) => api.listParts('u')],
    ]
    for (const [body, ask] of wrong) {
      const { api, calls } = apiOver(body)
      await expect(ask(api)).rejects.toMatchObject({ name: 'ClientException', code: 'invalid-reply' })
      expect(calls).toHaveLength(1)
    }
    await expect(apiOver({ upload, more: 1 }).api.getUpload('u')).resolves.toMatchObject({ upload })
    await expect(apiOver({ grants: [grant] }).api.grantParts('u', [])).resolves.toEqual({ grants: [grant] })
  })

  it('is an exception like any other when it is a problem with odd members', async () => {
    const odd = {
      code: 'invalid-request',
      title: 'T',
      status: 400,
      errors: 'x',
      parts: [null],
      detail: 7,
      instance: {},
    }
    const { deps } = setUp([() => json(400, odd)])
    await expect(request(deps, get)).rejects.toMatchObject({
      code: 'invalid-request',
      message: 'T (invalid-request, HTTP 400)',
    })
  })
})

it('an upload with parts of an impossible size is `invalid-reply`', () => {
  for (const partSizeBytes of [0, 1, 2 ** 50]) {
    const upload = { sizeBytes: 8, partSizeBytes, partCount: 1 } as Upload
    expect(() => planOf(upload, 8)).toThrow(expect.objectContaining({ code: 'invalid-reply' }))
  }
})
