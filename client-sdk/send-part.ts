import { linkSignals } from './abort-link.ts'
import { type ByteSource, rangeBody } from './byte-source.ts'
import type { Clock, ServerClock } from './clock.ts'
import { type PartPlan, partRange } from './contract/part-plan.ts'
import { ClientException, type ServiceException } from './errors.ts'
import type { GrantAges } from './grant-age.ts'
import type { GrantDesk } from './grant-desk.ts'
import type { Hashing } from './hashing.ts'
import { type LineSpeed, longestWaitMs } from './line-speed.ts'
import { ossErrorFromReply } from './oss-reply.ts'
import { judgePartReply } from './part-reply.ts'
import { type PartReply, type PartTransport, TransportException } from './part-transport.ts'
import type { GrantedPart } from './prepared-part.ts'
import type { ProgressMeter } from './progress.ts'
import type { RetryPolicy } from './retry.ts'
import { createRetryStreak, type RetryNotice, type RetryStreak } from './retry-streak.ts'
import { pausedReason, type RunGate } from './run-gate.ts'

export interface SendPartDeps {
  source: ByteSource
  plan: PartPlan
  transport: PartTransport
  hashing: Hashing
  grants: GrantDesk
  ages: GrantAges
  gate: RunGate
  clock: Clock
  serverClock: ServerClock
  meter: ProgressMeter
  retry: RetryPolicy
  line: LineSpeed
  /** An attempt ends when no byte has moved for this long, or for longer where the line is known to be slow. */
  stallTimeoutMs: number
  onMoved(): void
  onRetry?: ((notice: RetryNotice) => void) | undefined
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
  const streak = createRetryStreak(deps.clock, deps.retry, part.partNumber, deps.onRetry)
  const renew = () => deps.grants.ask({ partNumber: part.partNumber, md5: part.digest.md5 })
  let { grant, body } = part
  let freeRenewals = 0
  let stallMs = deps.stallTimeoutMs
  for (;;) {
    const waitingSinceMs = deps.clock.nowMs()
    await deps.gate.opened(signal)
    await deps.clock.online(signal)
    streak.leaveOut(deps.clock.nowMs() - waitingSinceMs)
    if (deps.ages.isNearEnd(grant)) grant = await renew()

    let error: ClientException | ServiceException
    try {
      const reply = await attempt(deps, { ...part, grant, body }, { stallMs, streak }, signal)
      const refusal = ossErrorFromReply(reply, part.partNumber, deps.serverClock.nowMs())
      const verdict = judgePartReply(reply, refusal.code, part.digest)
      if (verdict === 'stored') return deps.meter.stored(part.partNumber, body.sizeBytes)
      deps.meter.retract(part.partNumber)
      if (verdict === 'renew') {
        freeRenewals += 1
        if (freeRenewals > maxFreeRenewals) throw refusal
        grant = await renew()
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
      if (thrown.isOpaque && freeRenewals < maxFreeRenewals) {
        // It may have been the grant: nobody here can tell. A new one costs no attempt, but a moment.
        freeRenewals += 1
        await deps.clock.sleep(deps.retry.baseMs * deps.clock.random(), signal)
        grant = await renew()
        continue
      }
      error = new ClientException('network', `Part ${part.partNumber}: ${thrown.message}`, { cause: thrown })
      await streak.waitOrThrow(error, {}, signal)
    }
  }
}

/** No byte has moved for too long. Perhaps the line is only slow: the next attempt is given twice the time. */
class Stalled extends TransportException {
  constructor(limitMs: number) {
    super(`no byte moved for ${Math.round(limitMs / 100) / 10} s`)
  }
}

/**
 * One request, under a timer that every moved byte sets back. Moved means handed to the system, whose buffer hides what a slow line has
 * still to carry: the last bytes of all, and the reply after them, get the time that takes.
 */
async function attempt(
  deps: SendPartDeps,
  part: GrantedPart,
  { stallMs, streak }: { stallMs: number; streak: RetryStreak },
  signal: AbortSignal,
): Promise<PartReply> {
  const link = linkSignals(signal, deps.gate.signal)
  const startedAtMs = deps.clock.nowMs()
  let movedAtMs = startedAtMs
  let timer: ReturnType<typeof setTimeout> | undefined
  const moved = (sentBytes: number) => {
    movedAtMs = deps.clock.nowMs()
    const limitMs = Math.max(stallMs, deps.line.drainMs(sentBytes, movedAtMs - startedAtMs))
    clearTimeout(timer)
    timer = setTimeout(() => link.abort(new Stalled(limitMs)), limitMs)
  }
  try {
    link.signal.throwIfAborted()
    moved(0)
    const reply = await deps.transport.send({
      method: part.grant.method,
      url: part.grant.url,
      headers: part.grant.headers,
      body: part.body,
      signal: link.signal,
      onProgress(sentBytes) {
        if (link.signal.aborted) return
        moved(sentBytes)
        deps.meter.sending(part.partNumber, sentBytes)
        deps.onMoved()
      },
    })
    if (reply.status === 200) deps.line.stored(part.body.sizeBytes, deps.clock.nowMs() - startedAtMs)
    return reply
  } finally {
    clearTimeout(timer)
    streak.leaveOut(movedAtMs - startedAtMs)
    link.release()
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
