import { setTimeout as delay } from 'node:timers/promises'
import type { Upload, WebhookMessage } from '@partway/client/contract'
import { WebhookMessage as WebhookMessageSchema } from '@partway/client/contract'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { WebhookConfig } from '../../server/config.ts'
import { recordObjectChanged, recordObjectLeft } from '../../server/db/event-rows.ts'
import type { ResolveHost } from '../../server/webhook/public-address.ts'
import { startWebhook } from '../../server/webhook/start-webhook.ts'
import { type Api, createApi, createFor, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { protect } from '../support/secret-watch.ts'
import { startWebhookReceiver, WEBHOOK_TOKEN, type WebhookReceiver } from '../support/webhook-receiver.ts'

/* The operator's webhook, a real HTTP server on this machine, and the loop that tells it of events. */

const secret = `whsec_${Buffer.from('the-key-of-all-webhooks-in-tests').toString('base64')}`
const tenant = 'acme'

let receiver: WebhookReceiver
let app: TestApp
let api: Api
/** Where the log of the present test begins. */
let lineCount = 0
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  app = await startTestApp()
  api = createApi(app.url, app.token({ tenant }))
  protect(secret)
  protect(WEBHOOK_TOKEN)
})
afterAll(() => app.close())
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  lineCount = app.logLines.length
})
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()))
  await receiver.close()
  app.cloud.faults.clear()
  await sql().$executeRaw`TRUNCATE events, webhooks`
})

const webhookDeps = (changes: Partial<WebhookConfig> = {}) => ({
  ...app.deps,
  config: { ...app.deps.config, webhook: { url: receiver.url, secret, allowPrivate: true, ...changes } },
})

/** Runs the loop of one instance until the test ends; resolves when events are due from then on. */
async function deliver(
  changes: Partial<WebhookConfig> = {},
  resolve?: ResolveHost,
): Promise<{ stop(): Promise<void> }> {
  // An earlier loop's announcement is none of this one.
  await sql().$executeRaw`UPDATE webhooks SET seen_at = seen_at - interval '1 minute'`
  const before = await seenAtMs()
  const webhook = startWebhook(webhookDeps(changes), resolve)
  stops.push(() => webhook.stop())
  await until(async () => (await seenAtMs()) !== before)
  return webhook
}

const sql = () => app.deps.db.prisma
/** When an instance last said that it tells the webhook; null before any has. */
const seenAtMs = async () => (await sql().webhook.findFirst({ orderBy: { seenAt: 'desc' } }))?.seenAt.getTime() ?? null
const events = (where: object = {}) => sql().event.findMany({ where, orderBy: { id: 'asc' } })
const waiting = () => sql().event.count({ where: { dueAt: { not: null } } })
/** As if the time of the next try had come. */
const age = () => sql().$executeRaw`UPDATE events SET due_at = now() WHERE due_at IS NOT NULL`
const typesOf = (upload: Pick<Upload, 'id'>) =>
  receiver.received.filter(({ message }) => message.data.uploadId === upload.id).map(({ message }) => message.type)
const lines = () => app.logLines.slice(lineCount)
const logged = () => lines().join('')
/** The attempts that failed, as the log says it once they are recorded. */
const failures = () =>
  lines()
    .map((line) => JSON.parse(line))
    .filter(({ msg }) => msg === 'the webhook is told of an event later')
const untilFailed = (times: number) => until(() => failures().length >= times)

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(20)
}
const untilNothingWaits = () => until(async () => (await waiting()) === 0)

async function completed(): Promise<Upload> {
  const bytes = someBytes(20)
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  const { status, body } = await api('completeUpload', { id: upload.id, body: {} })
  expect(status).toBe(200)
  return body.upload
}

describe('the webhook', () => {
  it('is told of every change of state of an upload, in order, signed as Standard Webhooks says', async () => {
    await deliver()
    const upload = await completed()
    await untilNothingWaits()
    expect(typesOf(upload)).toEqual(['upload.pending', 'upload.uploading', 'upload.completing', 'upload.completed'])
    for (const { headers, raw, message, url } of receiver.received) {
      expect(new Webhook(secret).verify(raw, headers as Record<string, string>)).toEqual(message)
      expect(() => new Webhook(secret).verify(`${raw} `, headers as Record<string, string>)).toThrow()
      expect(WebhookMessageSchema.parse(message)).toEqual(message)
      expect(headers['content-type']).toBe('application/json')
      expect(headers['webhook-id']).toBe(`evt_${message.data.eventId}`)
      expect(url).toBe(new URL(receiver.url).pathname + new URL(receiver.url).search)
    }
    const last = receiver.received.at(-1)?.message as WebhookMessage
    expect(last).toEqual({
      type: 'upload.completed',
      timestamp: expect.stringMatching(/Z$/),
      data: {
        eventId: expect.any(String),
        uploadId: upload.id,
        tenant,
        subject: 'alice',
        fileName: 'file.bin',
        key: upload.key,
        sizeBytes: 20,
        from: 'completing',
        to: 'completed',
        abortReason: null,
        etag: upload.etag,
        crc64: upload.crc64,
      },
    })
    expect((await events()).every(({ deliveredAt, attempts }) => deliveredAt !== null && attempts === 1)).toBe(true)
    const { text } = await app.deps.metrics.expose()
    expect(text).toMatch(/partway_webhook_deliveries_total\{outcome="delivered"\} [1-9]/)
  })

  it('is told why an upload was given up, that one was taken back, and that an object is another', async () => {
    await deliver()
    const upload = await createFor(api, someBytes(5))
    await api('abortUpload', { id: upload.id })
    const effect = { kind: 'answer', status: 403, code: 'AccessDenied' } as const
    app.cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect })
    await api('createUpload', { body: { fileName: 'refused', sizeBytes: 1 } })
    const changed = await completed()
    const row = await sql().upload.findUniqueOrThrow({ where: { id: changed.id } })
    await recordObjectChanged(sql(), row, [{ what: 'size', completed: 20, found: 21 }])
    await untilNothingWaits()
    const messages = receiver.received.map(({ message }) => message)
    expect(messages).toContainEqual(
      expect.objectContaining({
        type: 'upload.aborted',
        data: expect.objectContaining({ uploadId: upload.id, from: 'aborting', to: 'aborted', abortReason: 'user' }),
      }),
    )
    expect(messages).toContainEqual(
      expect.objectContaining({
        type: 'upload.removed',
        data: expect.objectContaining({ tenant, from: 'pending', to: null, fileName: null }),
      }),
    )
    expect(typesOf(changed).at(-1)).toBe('object.changed')
    expect(messages.find(({ type }) => type === 'object.changed')?.data).toMatchObject({
      key: changed.key,
      differences: [{ what: 'size', completed: 20, found: 21 }],
    })
  })

  it('is told once of an object that is left, however many instances see it at once', async () => {
    await deliver()
    const upload = await createFor(api, someBytes(5))
    await api('abortUpload', { id: upload.id })
    const told = await Promise.all(Array.from({ length: 8 }, () => recordObjectLeft(sql(), upload.id, 2 ** 40)))
    expect(told.filter((isFirst) => isFirst)).toHaveLength(1)
    await untilNothingWaits()
    const left = receiver.received.map(({ message }) => message).filter(({ type }) => type === 'object.left')
    expect(left).toHaveLength(1)
    expect(WebhookMessageSchema.parse(left[0])).toEqual(left[0])
    const object = { bucket: upload.bucket, key: upload.key, reason: 'user', sizeBytes: 2 ** 40 }
    expect(left[0]?.data).toMatchObject({ uploadId: upload.id, tenant, fileName: 'file.bin', ...object })
    expect(typesOf(upload).at(-1)).toBe('object.left')
  })

  it('is not flooded with the past when it is switched on, nor with what waited when it was switched off', async () => {
    await completed()
    expect(await waiting()).toBe(0)
    const first = await deliver()
    receiver.answer((response) => void response.writeHead(500).end())
    await completed()
    await until(() => receiver.received.length > 0)
    await first.stop()
    expect(await waiting()).toBe(4)

    // As if no instance had known of it for more than a day.
    await sql().$executeRaw`UPDATE webhooks SET seen_at = seen_at - interval '25 hours'`
    await completed()
    expect(await waiting()).toBe(4)

    receiver.answer((response) => void response.writeHead(204).end())
    receiver.received.splice(0)
    await deliver()
    expect(await waiting()).toBe(0)
    const upload = await completed()
    await untilNothingWaits()
    expect(receiver.received.every(({ message }) => message.data.uploadId === upload.id)).toBe(true)
    expect(receiver.received).toHaveLength(4)
  })

  it('misses nothing while an instance that knows of none is started, and others come back later', async () => {
    const first = await deliver()
    receiver.answer((response) => void response.writeHead(500).end())
    const before = await completed()
    await until(() => receiver.received.length > 0)
    await first.stop()
    await startWebhook({ ...app.deps, config: { ...app.deps.config, webhook: null } }).stop()
    const meanwhile = await completed()
    expect(await waiting()).toBe(8)

    receiver.answer((response) => void response.writeHead(204).end())
    receiver.received.splice(0)
    await sql().$executeRaw`UPDATE events SET due_at = now() WHERE due_at IS NOT NULL`
    await deliver()
    await untilNothingWaits()
    for (const upload of [before, meanwhile]) expect(typesOf(upload)).toHaveLength(4)
  })

  it('has every event once when two instances tell it', async () => {
    const loops = [await deliver(), await deliver()]
    const uploads = await Promise.all(Array.from({ length: 20 }, () => completed()))
    await untilNothingWaits()
    await Promise.all(loops.map((loop) => loop.stop()))
    expect(receiver.received).toHaveLength(80)
    for (const upload of uploads) {
      expect(typesOf(upload)).toEqual(['upload.pending', 'upload.uploading', 'upload.completing', 'upload.completed'])
    }
  })
})

describe('an event that cannot be told', () => {
  it('holds back later ones of its upload, and no other, and is tried again with growing delays', async () => {
    await deliver()
    let fails = true
    receiver.answer((response, { message }) => {
      const isStuck = message.data.fileName === 'stuck' && message.type === 'upload.uploading' && fails
      response.writeHead(isStuck ? 503 : 200).end()
    })
    const bytes = someBytes(5)
    const stuck = await createFor(api, bytes, { fileName: 'stuck' })
    await api('abortUpload', { id: stuck.id })
    const other = await completed()
    await until(() => typesOf(other).length === 4)
    for (let times = 1; times <= 3; times++) {
      await untilFailed(times)
      if (times < 3) await age()
    }
    expect(typesOf(stuck)).toEqual(['upload.pending', 'upload.uploading', 'upload.uploading', 'upload.uploading'])
    const seconds = failures().map(({ retryInSeconds }) => retryInSeconds)
    expect(seconds.map((delay, index) => delay / ([5, 30, 120][index] ?? 0))).toEqual(
      [1, 1, 1].map((factor) => expect.closeTo(factor, 0)),
    )
    const ids = receiver.received.filter(({ message }) => message.data.uploadId === stuck.id).slice(1)
    expect(new Set(ids.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(ids.map(({ raw }) => raw)).size).toBe(1)

    fails = false
    await age()
    await untilNothingWaits()
    expect(typesOf(stuck).slice(4)).toEqual(['upload.uploading', 'upload.aborting', 'upload.aborted'])
    // Said once when it begins, once when it ends.
    await until(() => logged().includes('the webhook is told of events again'))
  })

  it('is given up in the end, and the next one of its upload follows', async () => {
    await deliver()
    receiver.answer((response, { message }) => {
      response.writeHead(message.type === 'upload.pending' ? 410 : 204).end()
    })
    const upload = await createFor(api, someBytes(5))
    await untilFailed(1)
    await sql().$executeRaw`UPDATE events SET attempts = 1000, due_at = now() WHERE attempts = 1`
    await untilNothingWaits()
    expect(typesOf(upload)).toEqual(['upload.pending', 'upload.pending', 'upload.uploading'])
    expect((await events())[0]?.deliveredAt).toBeNull()
    await until(() => logged().includes('the webhook was never told of an event'))
    expect((await app.deps.metrics.expose()).text).toContain('partway_webhook_events_given_up_total 1')
  })

  it('because its teller died is told again after the lease', async () => {
    // Never answers: the loop that asks is cut off in the middle, as by a kill.
    receiver.answer(() => {})
    const first = await deliver()
    const upload = await createFor(api, someBytes(5))
    await until(() => receiver.received.length === 1)
    await first.stop()
    expect((await events())[0]).toMatchObject({ attempts: 1, deliveredAt: null, dueAt: expect.any(Date) })
    receiver.answer((response) => void response.writeHead(204).end())
    await deliver()
    expect(receiver.received).toHaveLength(1)
    await age()
    await untilNothingWaits()
    expect(typesOf(upload)).toEqual(['upload.pending', 'upload.pending', 'upload.uploading'])
  })

  const answers: Record<string, Parameters<WebhookReceiver['answer']>[0]> = {
    'a redirect, which is not followed': (response) =>
      void response.writeHead(307, { location: `http://127.0.0.1:${receiver.port}/elsewhere` }).end(),
    'an error with a body that never ends': (response) => {
      response.writeHead(500)
      const flood = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        response.once('drain', flood)
      }
      flood()
    },
    'a connection that is cut': (response) => void response.destroy(),
    'a status line that is none': (response) => void response.socket?.end('nonsense\r\n\r\n'),
    'a head without end': (response) => {
      const { socket } = response
      socket?.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(100_000)}`)
    },
  }
  it.each(Object.keys(answers))('for %s is tried again', async (name) => {
    await deliver()
    receiver.answer(answers[name] ?? (() => {}))
    await createFor(api, someBytes(5))
    await untilFailed(1)
    expect(receiver.received).toHaveLength(1)
    expect(await events({ deliveredAt: { not: null } })).toEqual([])
    receiver.answer((response) => void response.writeHead(204).end())
    await age()
    await untilNothingWaits()
    expect(receiver.received.map(({ url }) => url)).not.toContain('/elsewhere')
  })

  it('because no answer comes is tried again, after 10 s', async () => {
    await deliver()
    receiver.answer(() => {})
    await createFor(api, someBytes(5))
    await untilFailed(1)
    expect(failures()[0]).toMatchObject({ outcome: 'timeout', attempts: 1 })
  }, 30_000)
})

describe('an answer of 200 with a body that never ends', () => {
  it('is an answer', async () => {
    await deliver()
    let sent = 0
    receiver.answer((response) => {
      response.writeHead(200)
      const flood = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536))) sent += 65_536
        response.once('drain', flood)
      }
      flood()
    })
    await createFor(api, someBytes(5))
    await untilNothingWaits()
    expect(receiver.received).toHaveLength(2)
    expect(sent).toBeLessThan(50_000_000)
  })
})

describe('an address that is not public', () => {
  it.each(['127.0.0.1', '127.1', '0x7f.1', '2130706433', '0.0.0.0', '[::ffff:127.0.0.1]', 'localhost'])(
    'is not connected to by default: %s',
    async (host) => {
      await deliver({ url: `http://${host}:${receiver.port}/`, allowPrivate: false })
      await createFor(api, someBytes(5))
      await untilFailed(1)
      expect(failures()[0]?.outcome).toBe('address-refused')
      expect(receiver.connections()).toBe(0)
    },
  )

  it.each<[string, string[]]>([
    ['among public ones', ['8.8.8.8', '127.0.0.1']],
    ['alone', ['127.0.0.1']],
    ['of the cloud’s metadata', ['100.100.100.200']],
    ['that is none', []],
  ])('is not connected to behind a name: %s', async (_, addresses) => {
    await deliver({ url: `http://hook.example:${receiver.port}/`, allowPrivate: false }, async () =>
      addresses.map((address) => ({ address, family: 4 })),
    )
    await createFor(api, someBytes(5))
    await untilFailed(1)
    expect(failures()[0]?.outcome).toBe('address-refused')
    expect(receiver.connections()).toBe(0)
  })

  it('is connected to where that is allowed, and it is the one that was looked up', async () => {
    const asked: string[] = []
    await deliver({ url: `http://hook.example:${receiver.port}/` }, async (host) => {
      asked.push(host)
      return [{ address: '127.0.0.1', family: 4 }]
    })
    await createFor(api, someBytes(5))
    await untilNothingWaits()
    expect(new Set(asked)).toEqual(new Set(['hook.example']))
    expect(asked).toHaveLength(receiver.connections())
    expect(receiver.received[0]?.headers.host).toBe(`hook.example:${receiver.port}`)
  })
})
