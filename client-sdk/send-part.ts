import { type ByteSource, rangeBody } from './byte-source.ts'
import type { ServerClock } from './clock.ts'
import { type PartPlan, partRange } from './contract/part-plan.ts'
import { ClientException, type ServiceException } from './errors.ts'
import type { ExplainFailure } from './explain-failure.ts'
import type { GrantAges } from './grant-age.ts'
import type { GrantDesk, RefusedGrant } from './grant-desk.ts'
import type { Hashing } from './hashing.ts'
import type { LineNews } from './line-news.ts'
import { longestWaitMs } from './line-speed.ts'
import { ossErrorFromReply } from './oss-reply.ts'
import { attemptPart, type PartAttemptDeps, Stalled, takePlace } from './part-attempt.ts'
import { judgePartReply } from './part-reply.ts'
import { TransportException } from './part-transport.ts'
import type { GrantedPart } from './prepared-part.ts'
import type { RetryPolicy } from './retry.ts'
import { createRetryStreak, type RetryNotice } from './retry-streak.ts'
import { pausedReason } from './run-gate.ts'

export interface SendPartDeps extends PartAttemptDeps {
  source: ByteSource
  plan: PartPlan
  hashing: Hashing
  grants: Pick<GrantDesk, 'ask'>
  ages: GrantAges
  serverClock: ServerClock
  retry: RetryPolicy
  news: LineNews
  /** An attempt ends when no byte has moved for this long, or for longer where the line is known to be slow. */
  stallTimeoutMs: number
  onRetry?: ((notice: RetryNotice) => void) | undefined
  explainFailure?: ExplainFailure | undefined
  /** A stored part's checksum headers cannot be read. */
  onHeadersHidden?: (() => void) | undefined
  /** OSS does not know the upload: throws what became of it, or returns when the server says that it lives. */
  onUploadMissing(): Promise<void>
}

/** Grants replaced for one part without an attempt being counted. Past it something other than age is wrong with them. */
const maxFreeRenewals = 3

/**
 * PUTs one part to its grant until OSS has it. A pause drops the attempt and waits; an old grant is replaced before the attempt; both cost
 * nothing. Throws ServiceException or ClientException when retries are used up, `source-changed` when the bytes are no longer those
 * that were hashed, and the reason of `signal`.
 */
export async function sendPart(deps: SendPartDeps, part: GrantedPart, signal: AbortSignal): Promise<void> {
  const streak = createRetryStreak(deps.clock, deps.retry, part.partNumber, deps.onRetry, deps.news)
  /** What the server takes for it is no part of an outage of OSS. */
  const renew = (instead?: RefusedGrant) =>
    streak.aside(() => deps.grants.ask({ partNumber: part.partNumber, md5: part.digest.md5 }, instead))
  /** Nor of those that wait for its place. */
  const renewInPlace = async () => {
    const sinceMs = deps.clock.nowMs()
    try {
      return await renew()
    } finally {
      deps.window.leaveOut(deps.clock.nowMs() - sinceMs)
    }
  }
  let { grant, body } = part
  let refused: RefusedGrant | undefined
  let freeRenewals = 0
  let stallMs = deps.stallTimeoutMs
  const sendOnce = async () => {
    const place = await takePlace(deps, streak, signal)
    try {
      if (deps.ages.isNearEnd(grant)) grant = await renewInPlace()
      const reply = await attemptPart(deps, { ...part, grant, body }, { stallMs, streak }, signal)
      if (reply.status === 200) {
        deps.window.stored()
        deps.news.back('oss')
      }
      return reply
    } catch (error) {
      if (error instanceof TransportException) place.broke()
      throw error
    } finally {
      place.leave()
    }
  }
  for (;;) {
    let error: ClientException | ServiceException
    try {
      if (refused) {
        await streak.aside(() => deps.gate.opened(signal))
        grant = await renew(refused)
        refused = undefined
      }
      const reply = await sendOnce()
      const refusal = ossErrorFromReply(reply, part.partNumber, deps.serverClock.nowMs())
      const verdict = judgePartReply(reply, refusal.code, part.digest)
      if (verdict === 'stored') {
        if (!reply.header('etag') && !reply.header('x-oss-hash-crc64ecma')) deps.onHeadersHidden?.()
        return deps.meter.stored(part.partNumber, body.sizeBytes)
      }
      deps.meter.retract(part.partNumber)
      if (verdict === 'renew') {
        freeRenewals += 1
        if (freeRenewals > maxFreeRenewals) throw refusal
        refused = { grant, error: refusal }
        continue
      }
      if (verdict === 'upload-missing') await deps.onUploadMissing()
      if (verdict === 'corrupted') {
        await checkSource(deps, part, signal)
        // The copy in memory may be what is broken.
        const { start, end } = partRange(deps.plan, part.partNumber)
        body = rangeBody(deps.source, start, end)
      }
      error = verdict === 'corrupted' ? corrupted(part.partNumber, refusal) : refusal
      await streak.waitOrThrow(error, verdict === 'failed' ? refusal : {}, signal)
    } catch (thrown) {
      deps.meter.retract(part.partNumber)
      if (signal.aborted) throw signal.reason
      if (thrown === pausedReason) continue
      if (!(thrown instanceof TransportException)) throw thrown
      if (thrown instanceof Stalled) stallMs = Math.max(stallMs, Math.min(longestWaitMs, 2 * stallMs))
      if (thrown.isOpaque && freeRenewals > 0) {
        const reason = await deps.explainFailure?.(grant.url, 'oss', signal)
        if (reason) throw reason
      }
      if (thrown.isOpaque && freeRenewals < maxFreeRenewals) {
        // It may have been the grant: nobody here can tell. A new one costs no attempt, but a moment.
        freeRenewals += 1
        await deps.clock.sleep(deps.retry.baseMs * deps.clock.random(), signal)
        refused = { grant, error: undefined }
        continue
      }
      error = new ClientException('network', `Part ${part.partNumber}: ${thrown.message}`, { cause: thrown })
      await streak.waitOrThrow(error, { isUnanswered: true }, signal)
    }
  }
}

/** Throws `source-changed` when the source no longer holds the bytes that were hashed. */
async function checkSource(deps: SendPartDeps, part: GrantedPart, signal: AbortSignal): Promise<void> {
  const { start, end } = partRange(deps.plan, part.partNumber)
  const now = await deps.hashing.digest(rangeBody(deps.source, start, end), signal)
  if (now.md5 === part.digest.md5) return
  throw new ClientException('source-changed', `The file changed while part ${part.partNumber} was being sent`)
}

function corrupted(partNumber: number, cause: unknown): ClientException {
  return new ClientException('corrupted', `Part ${partNumber} arrived at OSS with other bytes than it left with`, {
    cause,
  })
}
