import {
  createHttpTransport,
  isServerProblem,
  type PartTransport,
  systemClock,
  TransportException,
  type UploadNotice,
} from '@partway/client/node'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { TestAppOptions } from '../support/app.ts'
import {
  type BenchClientOptions,
  MiB,
  sha256OfFile,
  startUploadBench,
  type UploadBench,
  until,
} from './upload-bench.ts'

/* Uploads whose client signs by itself. Server and local cloud share one clock here, and it can be put forward. */

let aheadMs = 0
const now = () => new Date(Date.now() + aheadMs)
const minutesMs = (minutes: number) => minutes * 60_000

let bench: UploadBench
beforeAll(async () => {
  bench = await startUploadBench({ deps: { now }, cloud: { now } })
})
beforeEach(() => {
  aheadMs = 0
  bench.app.cloud.faults.clear()
  bench.app.cloud.requests.reset()
  bench.takeCalls()
})
afterAll(() => bench.close())

const credentialCall = 'POST /v1/uploads/{id}/credentials'
const grantCall = 'POST /v1/uploads/{id}/grants'

const callsBut = (calls: string[], ...left: string[]) => calls.filter((call) => !left.includes(call))
const controlCalls = (calls: string[]) => callsBut(calls, 'PUT /v1/uploads/{id}/checkpoint')
/** Compares object and file, now: whoever reads the object goes by the true clock. */
async function expectSameBytes(key: string, path: string, target = bench) {
  aheadMs = 0
  expect(await target.objectSha256(key)).toBe(await sha256OfFile(path))
}
const stored = () => bench.app.cloud.requests.countAnswered('UploadPart', 200)
const refused = () => bench.app.cloud.requests.countAnswered('UploadPart', 403)
const assumed = () => bench.app.cloud.requests.count('AssumeRole')

/** Node's Date header cannot be put forward with `now`. `dateOf` says what stands there instead; undefined hides it, as a page may find. */
function fetchDated(target: UploadBench, dateOf: () => Date | undefined): typeof fetch {
  return async (input, init) => {
    const reply = await target.fetch(input, init)
    const headers = new Headers(reply.headers)
    headers.delete('date')
    const date = dateOf()
    if (date) headers.set('date', date.toUTCString())
    return new Response(reply.body, { status: reply.status, headers })
  }
}

function clientOf(options: BenchClientOptions = {}, target = bench) {
  return target.clientWith({
    token: () => target.app.token({ scopes: ['uploads', 'credentials'], ttlSeconds: 86_400 }),
    ...options,
    ports: { fetch: fetchDated(target, now), ...options.ports },
  })
}

/** Nothing passes from the `after`th part on until `count` parts wait; then `meanwhile` happens, and all go out at once. */
function heldTransport(after: number, count: number, meanwhile: () => void): PartTransport {
  const transport = createHttpTransport()
  let begun = 0
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  return {
    ...transport,
    async send(request) {
      begun += 1
      if (begun === after + count) {
        meanwhile()
        release()
      }
      if (begun > after) await released
      return transport.send(request)
    },
  }
}

async function otherBench<Result>(options: TestAppOptions, use: (other: UploadBench) => Promise<Result>) {
  const other = await startUploadBench({ deps: { now }, cloud: { now }, ...options })
  try {
    return await use(other)
  } finally {
    await other.close()
  }
}

describe('an upload in mode sts', () => {
  it.each([6, 40])(
    'of %i parts asks the server to begin, for credentials once, and to complete; OSS gets every part once',
    async (partCount) => {
      const path = await bench.file(partCount * MiB)
      const { key, sentBytes } = await clientOf().upload(path, { mode: 'sts', partSizeBytes: MiB }).done
      await expectSameBytes(key, path)
      expect(sentBytes).toBe(partCount * MiB)
      expect([bench.partsSent(), stored(), assumed()]).toEqual([partCount, partCount, 1])
      expect(controlCalls(bench.takeCalls())).toEqual([
        'POST /v1/uploads',
        credentialCall,
        'POST /v1/uploads/{id}/complete',
      ])
    },
  )

  it.skipIf(!process.env.LONG_TESTS)(
    'of 10,000 parts makes five control calls at most',
    async () => {
      const path = await bench.file(10_000 * MiB)
      await clientOf().upload(path, { mode: 'sts', partSizeBytes: MiB, parallel: 8 }).done
      const calls = bench.takeCalls()
      console.log(`10,000 parts: ${controlCalls(calls).length} control calls, ${calls.length} with checkpoints`)
      expect(controlCalls(calls).length).toBeLessThanOrEqual(5)
      expect([stored(), refused()]).toEqual([10_000, 0])
    },
    900_000,
  )

  it('goes on over the death of its token with 8 parts in flight: one refresh, and no part fails', async () => {
    const path = await bench.file(24 * MiB)
    const notices: UploadNotice[] = []
    const transport = heldTransport(8, 8, () => {
      aheadMs = minutesMs(16)
    })
    const task = clientOf({ ports: { transport } }).upload(path, {
      mode: 'sts',
      partSizeBytes: MiB,
      parallel: 8,
      onNotice: (notice) => notices.push(notice),
    })
    const { key } = await task.done
    await expectSameBytes(key, path)
    expect([stored(), refused(), assumed()]).toEqual([24, 8, 2])
    expect(bench.takeCalls().filter((call) => call === credentialCall)).toHaveLength(2)
    expect(notices).toEqual([])
  })

  it('goes on over the death of its token where neither the time can be read, by a slow clock, nor why parts are refused', async () => {
    const path = await bench.file(16 * MiB)
    const transport = heldTransport(4, 4, () => {
      aheadMs = minutesMs(16)
    })
    const send: PartTransport['send'] = async (request) => {
      const reply = await transport.send(request)
      // As browsers have it, where OSS's CORS headers are missing.
      if (reply.status === 403) throw new TransportException('no answer that may be read', { isOpaque: true })
      return reply
    }
    const clock = { ...systemClock, nowMs: () => Date.now() + aheadMs - minutesMs(10) }
    const fetch = fetchDated(bench, () => undefined)
    const client = clientOf({ ports: { clock, fetch, transport: { ...transport, send } } })
    const { key } = await client.upload(path, { mode: 'sts', partSizeBytes: MiB }).done
    await expectSameBytes(key, path)
    expect([stored(), assumed()]).toEqual([16, 2])
  })

  it.each(['SecurityTokenExpired', 'InvalidAccessKeyId'])(
    'asks for credentials once when OSS answers %s',
    async (code) => {
      const path = await bench.file(16 * MiB)
      const refusal = { kind: 'answer', status: 403, code } as const
      bench.app.cloud.faults.add({ match: { verb: 'UploadPart' }, after: 4, times: 4, effect: refusal })
      const transport = heldTransport(4, 4, () => {})
      const client = clientOf({ ports: { transport } })
      await client.upload(path, { mode: 'sts', partSizeBytes: MiB, parallel: 4 }).done
      expect([stored(), refused()]).toEqual([16, 4])
      expect(bench.takeCalls().filter((call) => call === credentialCall)).toHaveLength(2)
    },
  )

  it('has its credentials renewed in time, so that no part is ever refused', async () => {
    const path = await bench.file(40 * MiB)
    const transport = createHttpTransport()
    const send: PartTransport['send'] = async (request) => {
      const reply = await transport.send(request)
      // A minute goes by with each part: 40 of them outlive two tokens. Not between a look at a part's time and OSS's, though.
      aheadMs += minutesMs(1)
      return reply
    }
    const clock = { ...systemClock, nowMs: () => now().getTime() }
    const client = clientOf({ ports: { clock, transport: { ...transport, send } } })
    await client.upload(path, { mode: 'sts', partSizeBytes: MiB, parallel: 1 }).done
    expect([stored(), refused()]).toEqual([40, 0])
    expect(assumed()).toBeGreaterThanOrEqual(3)
  })

  it('goes on while STS is down, as long as its credentials live', async () => {
    const path = await bench.file(24 * MiB)
    const notices: UploadNotice[] = []
    const transport = heldTransport(8, 4, () => {
      bench.app.cloud.faults.add({
        match: { verb: 'AssumeRole' },
        effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
      })
      // Past half of their life, and past the point where the server hands out what it has.
      aheadMs = minutesMs(10)
    })
    await clientOf({ ports: { transport } }).upload(path, {
      mode: 'sts',
      partSizeBytes: MiB,
      onNotice: (notice) => notices.push(notice),
    }).done
    expect([stored(), refused()]).toEqual([24, 0])
    expect(bench.takeCalls()).not.toContain(grantCall)
    expect(notices).toEqual([])
  })

  it.each([
    ['two hours behind', -minutesMs(120)],
    ['three days ahead', minutesMs(3 * 24 * 60)],
    ['back in 1970', -Date.now()],
  ])('signs by the server’s clock on a device whose own is %s', async (_what, offMs) => {
    const path = await bench.file(6 * MiB)
    const ports = { clock: { ...systemClock, nowMs: () => Date.now() + offMs } }
    await clientOf({ ports }).upload(path, { mode: 'sts', partSizeBytes: MiB }).done
    expect([stored(), refused()]).toEqual([6, 0])
  })

  it.each([
    ['two hours behind', -minutesMs(120)],
    ['three days ahead', minutesMs(3 * 24 * 60)],
  ])('asks for the time where it cannot read the Date header and the device’s clock is %s', async (_what, offMs) => {
    const path = await bench.file(8 * MiB)
    const clock = { ...systemClock, nowMs: () => Date.now() + offMs }
    const client = clientOf({ ports: { clock, fetch: fetchDated(bench, () => undefined) } })
    await client.upload(path, { mode: 'sts', partSizeBytes: MiB }).done
    expect(stored()).toBe(8)
    const calls = bench.takeCalls()
    expect(calls.filter((call) => call === 'GET /v1/time')).toHaveLength(1)
    expect(calls.filter((call) => call === credentialCall)).toHaveLength(1)
  })

  it('asks for the time again when the device’s clock is set back meanwhile, where it cannot read the Date header', async () => {
    const path = await bench.file(24 * MiB)
    let offMs = minutesMs(180)
    const clock = { ...systemClock, nowMs: () => Date.now() + offMs }
    const transport = heldTransport(8, 4, () => {
      offMs = -minutesMs(180)
    })
    const client = clientOf({ ports: { clock, transport, fetch: fetchDated(bench, () => undefined) } })
    const { key } = await client.upload(path, { mode: 'sts', partSizeBytes: MiB }).done
    await expectSameBytes(key, path)
    expect(bench.takeCalls().filter((call) => call === 'GET /v1/time')).toHaveLength(2)
  })

  it('goes on with what was sent in mode presigned, and the other way round', async () => {
    const path = await bench.file(24 * MiB, 'both.bin')
    for (const modes of [['presigned', 'sts'] as const, ['sts', 'presigned'] as const]) {
      bench.app.cloud.requests.reset()
      const first = clientOf().upload(path, { mode: modes[0], partSizeBytes: MiB, deleteUploadOnCancelling: false })
      first.done.catch(() => {})
      await until(() => stored() >= 6, 'six parts are stored')
      await first.cancel()
      const storedBefore = stored()
      const { key, sentBytes } = await clientOf().upload(path, { mode: modes[1], partSizeBytes: MiB }).done
      await expectSameBytes(key, path)
      expect(sentBytes).toBeLessThanOrEqual((24 - storedBefore) * MiB)
    }
  })

  it('of an empty file needs no credentials', async () => {
    const path = await bench.file(0)
    const { key } = await clientOf().upload(path, { mode: 'sts' }).done
    await expectSameBytes(key, path)
    expect(bench.takeCalls()).toEqual(['POST /v1/uploads', 'POST /v1/uploads/{id}/complete'])
  })

  it('is cancelled at once while its credentials are asked for, and aborted', async () => {
    const path = await bench.file(2 * MiB)
    let isAsked = false
    const client = clientOf({
      ports: {
        fetch(input, init) {
          if (!String(input).endsWith('/credentials')) return bench.fetch(input, init)
          isAsked = true
          return new Promise((_, reject) => {
            init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
          })
        },
      },
    })
    const task = client.upload(path, { mode: 'sts', partSizeBytes: MiB })
    await until(() => isAsked, 'credentials were asked for')
    await task.cancel()
    expect(task.state).toBe('cancelled')
    expect((await bench.client.getUpload(task.id ?? '')).upload.state).toBe('aborted')
  })

  it('fails with the server’s words when there are no credentials to be had, and what was sent is kept', async () => {
    const path = await bench.file(2 * MiB)
    const noScope = bench.clientWith({})
    const failure: unknown = await noScope.upload(path, { mode: 'sts' }).done.catch((error: unknown) => error)
    expect(isServerProblem(failure) && failure.code).toBe('forbidden')
    expect(bench.partsSent()).toBe(0)
  })
})

describe('an upload in mode auto', () => {
  async function uploadAuto(target: UploadBench, partCount: number, client = clientOf({}, target)) {
    const path = await target.file(partCount * MiB)
    const changes: string[] = []
    const { key } = await client.upload(path, {
      mode: 'auto',
      partSizeBytes: MiB,
      onNotice(notice) {
        if (notice.type === 'mode-changed') changes.push(notice.error.code)
      },
    }).done
    await expectSameBytes(key, path, target)
    return changes
  }

  it('of few parts needs neither STS nor a call more than presigned', async () => {
    expect(await uploadAuto(bench, 4)).toEqual([])
    expect(assumed()).toBe(0)
    expect(controlCalls(bench.takeCalls())).toEqual(['POST /v1/uploads', 'POST /v1/uploads/{id}/complete'])
  })

  it('of many parts is signed by the client after the first ones', async () => {
    expect(await uploadAuto(bench, 24)).toEqual([])
    expect([stored(), refused(), assumed()]).toEqual([24, 0, 1])
    expect(controlCalls(bench.takeCalls())).toEqual([
      'POST /v1/uploads',
      credentialCall,
      'POST /v1/uploads/{id}/complete',
    ])
  })

  it('goes on presigned, saying so once, where the server vends nothing', async () => {
    const config: TestAppOptions['config'] = (given) => ({ ...given, sts: { ...given.sts, roleArn: null } })
    await otherBench({ config }, async (other) => {
      expect(await uploadAuto(other, 24)).toEqual(['credentials-disabled'])
      expect(other.partsSent()).toBe(24)
    })
  })

  it('goes on presigned where the token has no scope for credentials', async () => {
    expect(await uploadAuto(bench, 12, bench.clientWith({}))).toEqual(['forbidden'])
    expect([stored(), refused(), assumed()]).toEqual([12, 0, 0])
  })

  it('goes on presigned where the role may not do what was vended', async () => {
    const path = await bench.file(12 * MiB)
    const changes: string[] = []
    bench.app.cloud.faults.add({
      match: { verb: 'UploadPart' },
      after: 4,
      times: 8,
      effect: { kind: 'answer', status: 403, code: 'AccessDenied' },
    })
    await clientOf().upload(path, {
      mode: 'auto',
      partSizeBytes: MiB,
      onNotice: (notice) => notice.type === 'mode-changed' && changes.push(notice.error.code),
    }).done
    expect(changes).toEqual(['AccessDenied'])
    expect(stored()).toBe(12)
  })

  it('ends where the upload is aborted elsewhere, and does not take that for a lack of credentials', async () => {
    const path = await bench.file(12 * MiB)
    const notices: string[] = []
    const client = clientOf({
      ports: {
        async fetch(input, init) {
          const id = String(input).endsWith('/credentials') && /upl_[0-9a-f]{32}/.exec(String(input))?.[0]
          if (id) await bench.client.abortUpload(id)
          return bench.fetch(input, init)
        },
      },
    })
    const onNotice = (notice: UploadNotice) => notices.push(notice.type)
    const { done } = client.upload(path, { mode: 'auto', partSizeBytes: MiB, onNotice })
    await expect(done).rejects.toMatchObject({ code: 'upload-ended' })
    expect(notices).toEqual([])
    expect(bench.takeCalls()).not.toContain(grantCall)
  })

  it('changes to presigned half-way when STS goes down for longer than its token lives, and sends no part again', async () => {
    const path = await bench.file(24 * MiB)
    const changes: string[] = []
    const transport = heldTransport(12, 4, () => {
      bench.app.cloud.faults.add({
        match: { verb: 'AssumeRole' },
        effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
      })
      aheadMs = minutesMs(16)
    })
    const { key } = await clientOf({ ports: { transport } }).upload(path, {
      mode: 'auto',
      partSizeBytes: MiB,
      onNotice: (notice) => notice.type === 'mode-changed' && changes.push(notice.error.code),
    }).done
    await expectSameBytes(key, path)
    expect(changes).toEqual(['credentials-unavailable'])
    expect([stored(), refused()]).toEqual([24, 4])
    expect(bench.takeCalls()).toContain(grantCall)
  })
})
