/** How far an upload is. */
export interface UploadProgress {
  /** Stored bytes and bytes in flight. Never goes backwards; equals `totalBytes` once, when every part is stored. */
  currentBytes: number
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

export interface ProgressMeter {
  /** What is known to be stored before anything is sent, at the start or after the upload had to start again. */
  begin(restoredBytes: number): void
  /** The bytes of a part that the network has taken so far in this attempt. */
  sending(partNumber: number, sentBytes: number): void
  /** The attempt failed: its bytes have to go again. */
  retract(partNumber: number): void
  stored(partNumber: number, sizeBytes: number): void
  /** A part believed stored has to be sent again. */
  lost(sizeBytes: number): void
  read(): UploadProgress
}

/** The speed forgets half of what it knew in this time. */
const halfLifeMs = 3000
/** Samples closer together than this say more about buffers than about the network. */
const sampleMs = 250

/** Counts bytes. Pure but for `nowMs`, a clock in ms. */
export function createProgressMeter(totalBytes: number, nowMs: () => number): ProgressMeter {
  const inFlight = new Map<number, number>()
  let inFlightBytes = 0
  let storedBytes = 0
  let restoredBytes = 0
  let sentBytes = 0
  let highestBytes = 0
  let bytesPerSecond = 0
  let sampledAtMs: number | undefined
  let sampledBytes = 0

  function measure() {
    const now = nowMs()
    if (sampledAtMs === undefined) {
      sampledAtMs = now
      sampledBytes = sentBytes
      return
    }
    const elapsedMs = now - sampledAtMs
    if (elapsedMs < sampleMs) return
    const speed = ((sentBytes - sampledBytes) / elapsedMs) * 1000
    const kept = bytesPerSecond === 0 ? 0 : 0.5 ** (elapsedMs / halfLifeMs)
    bytesPerSecond = bytesPerSecond * kept + speed * (1 - kept)
    sampledAtMs = now
    sampledBytes = sentBytes
  }

  function leaveFlight(partNumber: number) {
    inFlightBytes -= inFlight.get(partNumber) ?? 0
    inFlight.delete(partNumber)
  }

  return {
    begin(bytes) {
      inFlight.clear()
      inFlightBytes = 0
      storedBytes = bytes
      restoredBytes = bytes
      measure()
    },
    sending(partNumber, bytes) {
      const more = bytes - (inFlight.get(partNumber) ?? 0)
      if (more <= 0) return
      inFlight.set(partNumber, bytes)
      inFlightBytes += more
      sentBytes += more
      measure()
    },
    retract: leaveFlight,
    stored(partNumber, sizeBytes) {
      leaveFlight(partNumber)
      storedBytes += sizeBytes
      measure()
    },
    lost(sizeBytes) {
      storedBytes -= sizeBytes
    },
    read() {
      // Bytes in flight may still fail: the total is shown only when OSS has all of them.
      const reached = storedBytes >= totalBytes ? totalBytes : Math.min(storedBytes + inFlightBytes, totalBytes - 1)
      highestBytes = Math.max(highestBytes, reached)
      const leftBytes = totalBytes - highestBytes
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
