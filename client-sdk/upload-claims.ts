import type { UploadLocks } from './upload-locks.ts'

/** The uploads one task works on, so that no other task or tab with an equal file sends into them. */
export interface UploadClaims {
  /** False when somebody else has it, or, for one that was just found by its fingerprint, had it until it was completed. */
  claim(id: string, isFound?: boolean): Promise<boolean>
  completed(id: string): void
  release(): void
}

/** The server finds open uploads only: one that has been completed since its answer was so moments ago. */
const rememberedIds = 100

/** The claims of the tasks of one client. */
export function createClaimBook(locks: UploadLocks): { open(): UploadClaims } {
  const completedIds = new Set<string>()
  return {
    open() {
      const held = new Map<string, () => void>()
      return {
        async claim(id, isFound = false) {
          if (held.has(id)) return true
          const release = await locks.tryAcquire(`upload ${id}`)
          if (!release) return false
          if (isFound && completedIds.has(id)) {
            release()
            return false
          }
          held.set(id, release)
          return true
        },
        completed(id) {
          completedIds.add(id)
          for (const oldest of completedIds) if (completedIds.size > rememberedIds) completedIds.delete(oldest)
        },
        release() {
          for (const release of held.values()) release()
          held.clear()
        },
      }
    },
  }
}
