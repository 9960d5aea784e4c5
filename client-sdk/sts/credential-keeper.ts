import type { ServerClock } from '../clock.ts'
import { pausedReason } from '../run-gate.ts'

/** Credentials, or anything else that dies at a known time. */
export interface Mortal {
  /** ISO 8601. */
  expiresAt: string
}

/** Keeps what many want at once, and has it renewed in time. */
export interface CredentialKeeper<Held extends Mortal> {
  /** What lives long enough to begin a request with. Rejects when there is nothing such and none can be had. */
  get(): Promise<Held>
  /** `held` was refused although it should live: the next `get` asks anew, once, however many parts were refused with it. */
  refuse(held: Held): void
  /**
   * `held` may be dead, and nobody can tell. Resolves when there is another one, or none to be had: then it stays. Asks no more often than
   * every 20 s, however often it is called, unless a pause dropped the asking: then it throws the pause's reason.
   */
  doubt(held: Held): Promise<void>
}

/** With less life left, nothing is begun any more: a request must reach OSS in time. */
const urgentMs = 30_000
/** Renewed ahead of time with so much life left, or half of a life that is shorter than twice that: time enough to wait out an outage. */
const aheadMs = 450_000
/** After a renewal ahead of time, a doubt, or a renewal that brought what seems to be dead already, the next is tried so much later. */
const pauseMs = 20_000

/**
 * `ask` is called for the first caller, some time before the end (the callers are given the old one meanwhile, and a failure disturbs
 * nobody: `isUrgent` is false), and when what there is was refused or is about to die. Never twice at a time.
 */
export function createCredentialKeeper<Held extends Mortal>(
  ask: (isUrgent: boolean) => Promise<Held>,
  clock: ServerClock,
): CredentialKeeper<Held> {
  let held: { value: Held; receivedAtMs: number; renewWithMs: number; notBeforeMs: number } | undefined
  let flight: Promise<Held> | undefined
  /** Resolves with what went wrong. */
  let aheadOfTime: Promise<unknown> | undefined
  let doubtedAtMs = Number.NEGATIVE_INFINITY

  const leftMs = (value: Held) => Date.parse(value.expiresAt) - clock.nowMs()

  async function renew(isUrgent: boolean): Promise<Held> {
    const value = await ask(isUrgent)
    const renewWithMs = Math.min(aheadMs, leftMs(value) / 2)
    held = { value, receivedAtMs: clock.nowMs(), renewWithMs, notBeforeMs: Number.NEGATIVE_INFINITY }
    return value
  }

  function renewAheadOfTime(due: { notBeforeMs: number }) {
    due.notBeforeMs = clock.nowMs() + pauseMs
    aheadOfTime = renew(false)
      .then(
        () => undefined,
        (error: unknown) => error,
      )
      .finally(() => {
        aheadOfTime = undefined
      })
  }

  function lasting() {
    if (!held || leftMs(held.value) > urgentMs) return held
    // Dead on arrival, by a clock that cannot be right. Only OSS can tell, and asking for each part would help nobody.
    const isNew = Math.abs(clock.nowMs() - held.receivedAtMs) < pauseMs
    return isNew ? held : undefined
  }

  return {
    async get() {
      if (!lasting()) await aheadOfTime
      const known = lasting()
      if (known) {
        const left = leftMs(known.value)
        const isDue = left > urgentMs && left <= known.renewWithMs && clock.nowMs() >= known.notBeforeMs
        if (isDue && !aheadOfTime) renewAheadOfTime(known)
        return known.value
      }
      flight ??= renew(true).finally(() => {
        flight = undefined
      })
      return flight
    },
    refuse(value) {
      if (held?.value === value) held = undefined
    },
    async doubt(value) {
      const isRecent = Math.abs(clock.nowMs() - doubtedAtMs) < pauseMs
      if (held?.value === value && !flight && !aheadOfTime && !isRecent) {
        doubtedAtMs = clock.nowMs()
        renewAheadOfTime(held)
      }
      if ((await aheadOfTime) !== pausedReason) return
      doubtedAtMs = Number.NEGATIVE_INFINITY
      throw pausedReason
    },
  }
}
