import { linkSignals } from './abort-link.ts'
import type { Clock } from './clock.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { LineSpeed } from './line-speed.ts'
import type { PartLimiter } from './part-limiter.ts'
import { type PartReply, type PartTransport, TransportException } from './part-transport.ts'
import type { GrantedPart } from './prepared-part.ts'
import type { ProgressMeter } from './progress.ts'
import type { RetryStreak } from './retry-streak.ts'
import type { RunGate } from './run-gate.ts'
import type { SendPlace, SendWindow } from './send-window.ts'

export interface PartAttemptDeps {
  transport: PartTransport
  gate: RunGate
  clock: Clock
  lifecycle?: Lifecycle | undefined
  window: SendWindow
  limiter?: PartLimiter | undefined
  /** Stands for the upload where a limiter counts. */
  run: object
  meter: ProgressMeter
  line: LineSpeed
  onMoved(): void
}

/** No byte has moved for too long. Perhaps the line is only slow: the next attempt is given twice the time. */
export class Stalled extends TransportException {
  constructor(limitMs: number) {
    super(`no byte moved for ${Math.round(limitMs / 100) / 10} s`)
  }
}

/** After the machine slept, a request that moved its last byte longer ago than this is not waited for. */
const wakeMs = 5000

/**
 * Waits until a part may go out: not paused, a network there, a place free. None of that is part of an outage, except for what was one
 * for those that held the place and broke too. Resolves with the place.
 */
export async function takePlace(deps: PartAttemptDeps, streak: RetryStreak, signal: AbortSignal): Promise<SendPlace> {
  const { window, clock } = deps
  const sinceMs = clock.nowMs()
  await deps.gate.opened(signal)
  await clock.online(signal)
  const enteringMs = clock.nowMs()
  const leftOutBefore = window.leftOutMs()
  const place = await window.enter(signal)
  try {
    const enteredMs = clock.nowMs()
    const waitedMs = enteredMs - enteringMs
    const noOutageMs = window.isDown() ? Math.min(waitedMs, window.leftOutMs() - leftOutBefore) : waitedMs
    const free = await deps.limiter?.acquire(deps.run, signal)
    const limitedMs = clock.nowMs() - enteredMs
    window.leaveOut(limitedMs)
    streak.leaveOut(enteringMs - sinceMs + noOutageMs + limitedMs)
    return {
      broke: place.broke,
      leave() {
        free?.()
        place.leave()
      },
    }
  } catch (error) {
    place.leave()
    throw error
  }
}

/**
 * One request, under a timer that every moved byte sets back. Moved means handed to the system, whose buffer hides what a slow line has
 * still to carry: the last bytes of all, and the reply after them, get the time that takes.
 */
export async function attemptPart(
  deps: PartAttemptDeps,
  part: GrantedPart,
  { stallMs, streak }: { stallMs: number; streak: RetryStreak },
  signal: AbortSignal,
): Promise<PartReply> {
  const link = linkSignals(signal, deps.gate.signal)
  const startedAtMs = deps.clock.nowMs()
  let movedAtMs = startedAtMs
  let limitMs = stallMs
  let timer: ReturnType<typeof setTimeout> | undefined
  const moved = (sentBytes: number) => {
    movedAtMs = deps.clock.nowMs()
    limitMs = Math.max(stallMs, deps.line.drainMs(sentBytes, movedAtMs - startedAtMs))
    clearTimeout(timer)
    timer = setTimeout(() => link.abort(new Stalled(limitMs)), limitMs)
  }
  const forgetWake = deps.lifecycle?.onWake(() => {
    if (deps.clock.nowMs() - movedAtMs > wakeMs) link.abort(new TransportException('the device slept meanwhile'))
  })
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
    if (reply.status === 200) {
      // Bytes were still leaving the system's buffers.
      movedAtMs = deps.clock.nowMs()
      deps.line.stored(part.body.sizeBytes, movedAtMs - startedAtMs)
    }
    return reply
  } finally {
    clearTimeout(timer)
    forgetWake?.()
    // Past its limit an attempt does not stand still: the machine slept.
    const sleptMs = Math.max(0, deps.clock.nowMs() - movedAtMs - limitMs)
    streak.leaveOut(movedAtMs - startedAtMs + sleptMs)
    deps.window.leaveOut(movedAtMs - startedAtMs + sleptMs)
    link.release()
  }
}
