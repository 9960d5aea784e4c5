import type { Clock, ServerClock } from '../clock.ts'
import { presignFormsV4 } from '../contract/canonical-v4.ts'
import type { UploadCredentials } from '../contract/credentials.ts'
import type { PartGrant } from '../contract/part.ts'
import { type PartPlan, partSize } from '../contract/part-plan.ts'
import { fillIn } from '../contract/text-form.ts'
import { invalidReply } from '../errors.ts'
import type { GrantDesk, RefusedGrant } from '../grant-desk.ts'
import type { RunGate } from '../run-gate.ts'
import { untilPaused } from '../until-paused.ts'
import type { UploadApi } from '../upload-api.ts'
import { createCredentialKeeper } from './credential-keeper.ts'
import { assertWebCrypto, createSignerV4, type SignerV4 } from './signer-v4.ts'

export interface StsDeskDeps {
  api: Pick<UploadApi, 'getTime'>
  /** Gives credentials for the upload's object; unless `isUrgent`, a quick failure is better than a long wait. */
  ask(isUrgent: boolean): Promise<UploadCredentials>
  plan: PartPlan
  clock: Clock
  serverClock: ServerClock
  gate: Pick<RunGate, 'signal'>
  signal: AbortSignal
}

interface Held extends UploadCredentials {
  signer: SignerV4
}

/** A URL is for one request, begun soon: a short life is enough, and a little clock error must not end it. */
const urlSeconds = 900
/** The server is not asked for the time more often. */
const clockPauseMs = 60_000
/** Credentials have 10 minutes to live when the server hands them out; what a slow line takes of that is no reason to doubt the clock. */
const shortestLifeMs = 300_000
/** STS makes no credentials for longer. Source: STS "AssumeRole", parameter DurationSeconds. */
const longestLifeMs = 43_200_000

/**
 * Grants signed here, with STS credentials for the upload's object: the server is asked for credentials, never for parts. The URLs look
 * like the ones the server would presign, so that bucket and CORS rule need nothing else. Time is the server's. Throws what
 * `ask` throws, and ClientException `invalid-argument` without Web Crypto.
 */
export function createStsDesk(deps: StsDeskDeps): GrantDesk {
  const { clock, serverClock } = deps
  const signedWith = new WeakMap<PartGrant, Held>()
  let correction: { askedAtMs: number; done: Promise<void> } | undefined
  const keeper = createCredentialKeeper<Held>(async (isUrgent) => {
    assertWebCrypto()
    const credentials = await deps.ask(isUrgent)
    if (!/^[a-z0-9-]+$/.test(credentials.region)) throw invalidReply('the region is none')
    const leftMs = Date.parse(credentials.expiresAt) - serverClock.nowMs()
    if (leftMs < shortestLifeMs || leftMs > longestLifeMs) await correctClock()
    return { ...credentials, signer: createSignerV4(credentials.accessKeySecret, credentials.region) }
  }, serverClock)

  /** Refused for another reason than a dead token: a device whose clock is hours off, where a page may not read the Date header. */
  function correctClock(): Promise<void> {
    const askedAtMs = clock.nowMs()
    // A clock that was set back may have been asked about "later" than now.
    if (!correction || Math.abs(askedAtMs - correction.askedAtMs) > clockPauseMs) {
      correction = { askedAtMs, done: askForTheTime(askedAtMs) }
    }
    return correction.done
  }

  async function askForTheTime(askedAtMs: number) {
    try {
      const { now } = await untilPaused(deps.gate, deps.signal, (signal) => deps.api.getTime({ signal }))
      serverClock.learn(Date.parse(now), askedAtMs)
    } catch (error) {
      // A pause drops it, an outage may be over: the next one who needs the time asks again.
      correction = undefined
      throw error
    }
  }

  async function heed({ grant, error }: RefusedGrant) {
    const held = signedWith.get(grant)
    // No answer, or one that a page may not read, about credentials that have died perhaps.
    if (!error) return held && keeper.doubt(held)
    const isDead = error.code === 'SecurityTokenExpired' || error.code === 'InvalidAccessKeyId'
    if (!isDead) await correctClock()
    else if (held) keeper.refuse(held)
  }

  return {
    isBatched: false,
    async ask(part, refused) {
      if (refused) await heed(refused)
      const held = await keeper.get()
      const grant = await sign(held, deps.plan, part, serverClock.nowMs())
      signedWith.set(grant, held)
      return grant
    },
  }
}

async function sign(
  held: Held,
  plan: PartPlan,
  { partNumber, md5 }: { partNumber: number; md5: string },
  serverNowMs: number,
): Promise<PartGrant> {
  const endMs = Date.parse(held.expiresAt)
  // Whatever the clock believes: it is a moment of the credentials' life.
  const nowMs = Math.min(Math.max(serverNowMs, endMs - longestLifeMs), endMs - 1000)
  const expiresSeconds = Math.min(urlSeconds, Math.floor((endMs - nowMs) / 1000))
  const headers = { 'Content-MD5': md5 }
  const { timestamp, canonicalRequest, url } = presignFormsV4({
    method: 'PUT',
    baseUrl: held.endpoint,
    addressing: held.addressing,
    bucket: held.bucket,
    key: held.key,
    region: held.region,
    accessKeyId: held.accessKeyId,
    securityToken: held.securityToken,
    now: new Date(nowMs),
    expiresSeconds,
    query: { partNumber: String(partNumber), uploadId: held.uploadId },
    headers,
  })
  return {
    partNumber,
    method: 'PUT',
    url: fillIn(url, [await held.signer.sign(fillIn(canonicalRequest, []), timestamp)]),
    headers,
    sizeBytes: partSize(plan, partNumber),
    expiresAt: new Date(nowMs + expiresSeconds * 1000).toISOString(),
  }
}
