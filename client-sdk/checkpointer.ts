import type { Clock } from './clock.ts'
import type { RequestBody } from './contract/endpoints.ts'
import type { PartClaim } from './contract/part.ts'

/** Tells the server which parts are stored, in batches. Never in the way of sending, and allowed to fail: OSS knows better anyway. */
export interface Checkpointer {
  add(claim: PartClaim): void
  /** Sends what has not been said yet. Never throws; what failed is kept for the next time. */
  flush(): Promise<void>
  /** No more timers. */
  close(): void
}

/** A batch is due after this many parts or this long, whichever comes first. */
const batchParts = 32
const batchMs = 2000
const maxPartsPerRequest = 1000

export function createCheckpointer(
  save: (parts: RequestBody<'saveCheckpoint'>['parts']) => Promise<unknown>,
  clock: Clock,
): Checkpointer {
  const claims = new Map<number, PartClaim>()
  let saving: Promise<void> | undefined
  let isTimerSet = false
  const closed = new AbortController()

  async function saveAll() {
    while (claims.size > 0) {
      const batch = [...claims.values()].slice(0, maxPartsPerRequest)
      try {
        await save(batch)
      } catch {
        return
      }
      // A part sent again meanwhile has a newer claim, which is still to be said.
      for (const claim of batch) if (claims.get(claim.partNumber) === claim) claims.delete(claim.partNumber)
    }
  }

  function flush() {
    saving ??= saveAll().finally(() => {
      saving = undefined
    })
    return saving
  }

  function flushLater() {
    if (isTimerSet || closed.signal.aborted) return
    isTimerSet = true
    clock.sleep(batchMs, closed.signal).then(
      () => {
        isTimerSet = false
        return flush()
      },
      () => {},
    )
  }

  return {
    add(claim) {
      claims.set(claim.partNumber, claim)
      if (claims.size >= batchParts && !closed.signal.aborted) void flush()
      else flushLater()
    },
    flush,
    close: () => closed.abort(),
  }
}
