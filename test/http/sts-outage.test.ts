import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { send } from '../local-cloud/send.ts'
import { type Api, createApi, createFor, MiB, sendParts, sha256Of, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { readObject } from '../support/objects.ts'

/* STS goes away for half an hour, by the one clock that server and local cloud share here. */

let app: TestApp
let api: Api
let nowMs = Date.now()
const now = () => new Date(nowMs)
const wait = (seconds: number) => {
  nowMs += seconds * 1000
}

beforeAll(async () => {
  app = await startTestApp({ deps: { now }, cloud: { now } })
  const scopes = ['uploads', 'credentials', 'credentials:direct'] as const
  api = createApi(app.url, app.token({ subject: 'alice', scopes, ttlSeconds: 86_400 }))
})
afterAll(() => app.close())

describe('while STS is down for 30 minutes', () => {
  it('uploads go on with what they hold, then credentials are unavailable for a while, and presigned mode feels nothing', async () => {
    const bytes = someBytes(31 * MiB)
    const upload = await createFor(api, bytes)
    const given = await api('grantCredentials', { id: upload.id })
    expect(given.status).toBe(200)
    const deadAtMs = Date.parse(given.body.expiresAt)
    app.cloud.requests.reset()
    app.cloud.faults.add({
      match: { verb: 'AssumeRole' },
      effect: { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
    })

    const seen = { served: 0, refused: 0, sent: 0, sentPresigned: 0 }
    for (let minute = 1; minute <= 30; minute++) {
      wait(60)
      const again = await api('grantCredentials', { id: upload.id })
      const leftSeconds = (deadAtMs - nowMs) / 1000
      if (leftSeconds >= 600) {
        // Renewing fails behind their backs; nobody who can be served sees it.
        expect([minute, again.status, again.body.expiresAt]).toEqual([minute, 200, given.body.expiresAt])
        seen.served++
      } else {
        expect([minute, again.status, again.body.code]).toEqual([minute, 503, 'credentials-unavailable'])
        const retryAfterSeconds = Number(again.headers.get('retry-after'))
        expect(retryAfterSeconds).toBeGreaterThanOrEqual(1)
        expect(retryAfterSeconds).toBeLessThanOrEqual(30)
        seen.refused++
      }
      const part = { partNumber: String(minute), uploadId: upload.uploadId ?? '' }
      const body = bytes.subarray((minute - 1) * MiB, minute * MiB)
      const sending = { method: 'PUT', key: upload.key, query: part, body, credentials: given.body, now: now() }
      const sent = await send(app.cloud.ossUrl, sending)
      if (leftSeconds > 0) {
        expect([minute, sent.status]).toEqual([minute, 200])
        seen.sent++
      } else {
        expect([minute, sent.error.code]).toEqual([minute, 'SecurityTokenExpired'])
        await sendParts(api, upload, bytes, [minute])
        seen.sentPresigned++
      }
    }
    expect(seen).toEqual({ served: expect.any(Number), refused: expect.any(Number), sent: 14, sentPresigned: 16 })
    expect(seen.served).toBeGreaterThanOrEqual(4)
    expect(seen.refused).toBeGreaterThanOrEqual(25)
    // Each minute one caller, and at most a probe or a first series of tries for it.
    expect(app.cloud.requests.count('AssumeRole')).toBeLessThanOrEqual(35)

    app.cloud.faults.clear()
    wait(30)
    const back = await api('grantCredentials', { id: upload.id })
    expect(back.status).toBe(200)
    await sendParts(api, upload, bytes, [31])
    expect((await api('completeUpload', { id: upload.id, body: {} })).status).toBe(200)
    expect(sha256Of(await readObject(app.cloud, upload.key))).toBe(sha256Of(bytes))
  })
})
