import type { UploadLocks } from './upload-locks.ts'

/** The uploads one task works on, so that no other task or tab with an equal file sends into them. */
export interface UploadClaims {
  /** False when somebody else has it. */
  claim(id: string): Promise<boolean>
  release(): void
}

export function createClaims(locks: UploadLocks): UploadClaims {
  const held = new Map<string, () => void>()
  return {
    async claim(id) {
      if (held.has(id)) return true
      const release = await locks.tryAcquire(`upload ${id}`)
      if (release) held.set(id, release)
      return release !== undefined
    },
    release() {
      for (const release of held.values()) release()
      held.clear()
    },
  }
}
