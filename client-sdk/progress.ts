import type { PartPlan } from './contract/part-plan.ts'
import { createSpeed } from './speed.ts'

/** How far an upload is. */
export interface UploadProgress {
  /** Stored bytes and bytes in flight. Never goes backwards; equals `totalBytes` once, when every part is stored. */
  currentBytes: number
  /** The file's size; 0 until it is open. */
  totalBytes: number
  /** Bytes found stored when the upload was picked up again. */
  restoredBytes: number
  /** Bytes put on the wire by this run, those sent in vain included. */
  sentBytes: number
  /** Smoothed over the last seconds; 0 until there is something to go by. */
  bytesPerSecond: number
  /** Seconds until the last byte is sent, or null while nobody can tell. */
  etaSeconds: number | null
}

/** How far each part is. A view of what goes on: read it again for every picture. */
export interface PartsProgress {
  /** As agreed with the server. */
  readonly plan: PartPlan
  /** Whether OSS has the part; never true of a part outside the plan. */
  isStored(partNumber: number): boolean
  /** Bytes of the part that the network has taken in the attempt under way; 0 when none is. */
  sentBytes(partNumber: number): number
}

export interface ProgressMeter {
  /** What is known to be stored before anything is sent, at the start or after the upload had to start again. */
  begin(restoredBytes: number, restored?: { plan: PartPlan; partNumbers: Iterable<number> }): void
  /** The bytes of a part that the network has taken so far in this attempt. */
  sending(partNumber: number, sentBytes: number): void
  /** The attempt failed: its bytes have to go again. */
  retract(partNumber: number): void
  stored(partNumber: number, sizeBytes: number): void
  /** Somebody else sends the file, and has come so far. */
  mirror(news: { currentBytes: number; bytesPerSecond: number }): void
  /** A part believed stored has to be sent again. */
  lost(partNumber: number, sizeBytes: number): void
  read(): UploadProgress
  /** Undefined until the plan is agreed with the server. */
  readParts(): PartsProgress | undefined
}

/** Counts bytes. Pure but for `nowMs`, a clock in ms. */
export function createProgressMeter(totalBytes: number, nowMs: () => number): ProgressMeter {
  const inFlight = new Map<number, number>()
  let storedParts = new Set<number>()
  let parts: PartsProgress | undefined
  let inFlightBytes = 0
  let storedBytes = 0
  let restoredBytes = 0
  let sentBytes = 0
  let highestBytes = 0
  const speed = createSpeed(nowMs)

  function leaveFlight(partNumber: number) {
    inFlightBytes -= inFlight.get(partNumber) ?? 0
    inFlight.delete(partNumber)
  }

  return {
    begin(bytes, restored) {
      inFlight.clear()
      storedParts = new Set(restored?.partNumbers)
      parts = restored && {
        plan: restored.plan,
        isStored: (partNumber) => storedParts.has(partNumber),
        sentBytes: (partNumber) => inFlight.get(partNumber) ?? 0,
      }
      inFlightBytes = 0
      storedBytes = bytes
      restoredBytes = bytes
      speed.reset()
      speed.add(0)
    },
    sending(partNumber, bytes) {
      const more = bytes - (inFlight.get(partNumber) ?? 0)
      if (more <= 0) return
      inFlight.set(partNumber, bytes)
      inFlightBytes += more
      sentBytes += more
      speed.add(more)
    },
    retract: leaveFlight,
    stored(partNumber, sizeBytes) {
      leaveFlight(partNumber)
      storedParts.add(partNumber)
      storedBytes += sizeBytes
    },
    mirror(news) {
      highestBytes = Math.max(highestBytes, Math.min(news.currentBytes, totalBytes - 1))
      speed.reset(news.bytesPerSecond)
    },
    lost(partNumber, sizeBytes) {
      storedParts.delete(partNumber)
      storedBytes -= sizeBytes
    },
    readParts: () => parts,
    read() {
      // Bytes in flight may still fail: the total is shown only when OSS has all of them.
      const reached = storedBytes >= totalBytes ? totalBytes : Math.min(storedBytes + inFlightBytes, totalBytes - 1)
      highestBytes = Math.max(highestBytes, reached)
      const leftBytes = totalBytes - highestBytes
      const bytesPerSecond = speed.perSecond()
      return {
        currentBytes: highestBytes,
        totalBytes,
        restoredBytes,
        sentBytes,
        bytesPerSecond: Math.round(bytesPerSecond),
        etaSeconds: leftBytes === 0 ? 0 : bytesPerSecond > 0 ? Math.ceil(leftBytes / bytesPerSecond) : null,
      }
    },
  }
}
