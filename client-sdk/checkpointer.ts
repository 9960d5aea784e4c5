import type { Clock } from './clock.ts'
import type { RequestBody } from './contract/endpoints.ts'
import type { PartClaim } from './contract/part.ts'

/** Tells the server which parts are stored, in batches. Never in the way of sending, and allowed to fail: OSS knows better anyway. */
export interface Checkpointer {
  add(claim: PartClaim): void
  /** Sends what has not been said yet. Never throws; what failed is kept for the next time. */
  flush(): Promise<void>
  /** Says at once as much as a request may hold that outlives its page. What an answer comes to is never known. */
  flushLast(): void
  /** No more timers. */
  close(): void
}

/** A batch is due after this many parts or this long, whichever comes first. */
const batchParts = 32
const batchMs = 2000
const maxPartsPerRequest = 1000
/** 64 KiB is what browsers let all such requests of a page hold together; a claim is some 80 bytes. */
const maxPartsLeaving = 400

export function createCheckpointer(
  save: (parts: RequestBody<'saveCheckpoint'>['parts'], options: { keepalive: boolean }) => Promise<unknown>,
  clock: Clock,
): Checkpointer {
  const claims = new Map<number, PartClaim>()
  let saving: Promise<boolean> | undefined
  let isTimerSet = false
  const closed = new AbortController()

  /** Says what is known now. False when that failed. */
  async function saveBatch(): Promise<boolean> {
    const batch = [...claims.values()].slice(0, maxPartsPerRequest)
    try {
      await save(batch, { keepalive: false })
    } catch {
      return false
    }
    // A part sent again meanwhile has a newer claim, which is still to be said.
    for (const claim of batch) if (claims.get(claim.partNumber) === claim) claims.delete(claim.partNumber)
    return true
  }

  function saveNow(): Promise<boolean> {
    saving ??= saveBatch().finally(() => {
      saving = undefined
    })
    return saving
  }

  function saveLater() {
    if (isTimerSet || closed.signal.aborted) return
    isTimerSet = true
    clock.sleep(batchMs, closed.signal).then(
      () => {
        isTimerSet = false
        return claims.size > 0 ? saveSoon() : undefined
      },
      () => {},
    )
  }

  async function saveSoon() {
    await saveNow()
    if (claims.size > 0) saveLater()
  }

  return {
    add(claim) {
      claims.set(claim.partNumber, claim)
      if (claims.size >= batchParts && !closed.signal.aborted && !saving) void saveSoon()
      else saveLater()
    },
    async flush() {
      // What is under way may not hold the newest claims.
      await saving
      while (claims.size > 0 && (await saveNow())) {
        // The next batch.
      }
    },
    flushLast() {
      if (claims.size === 0) return
      // The claims stay: a page that was only hidden says them again.
      save([...claims.values()].slice(-maxPartsLeaving), { keepalive: true }).catch(() => {})
    },
    close: () => closed.abort(),
  }
}
