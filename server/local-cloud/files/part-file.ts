/** A stored part. Everything about it is in its file's name, so that one rename commits bytes and facts together. */
export interface PartFile {
  readonly partNumber: number
  /** Rises with every part this cloud stores: of two files of one number, the later one counts. */
  readonly sequence: number
  readonly sizeBytes: number
  /** 32 lower-case hex digits. */
  readonly md5: string
  readonly crc64: bigint
  /** Milliseconds since the epoch. */
  readonly lastModifiedAt: number
}

/** `00007.1k2j….8388608.<md5>.<crc64>.1736930700000` */
export function partFileName(part: PartFile): string {
  const { partNumber, sequence, sizeBytes, md5, crc64, lastModifiedAt } = part
  const number = String(partNumber).padStart(5, '0')
  return `${number}.${sequence.toString(36)}.${sizeBytes}.${md5}.${crc64.toString(16).padStart(16, '0')}.${lastModifiedAt}`
}

const NAME = /^(\d{5})\.([0-9a-z]+)\.(\d+)\.([0-9a-f]{32})\.([0-9a-f]{16})\.(-?\d+)$/

/** What a name says, or null when it is not a part's. */
export function parsePartFileName(name: string): PartFile | null {
  const match = NAME.exec(name)
  if (!match) return null
  const [, number, sequence = '', size, md5 = '', crc, time] = match
  return {
    partNumber: Number(number),
    sequence: Number.parseInt(sequence, 36),
    sizeBytes: Number(size),
    md5,
    crc64: BigInt(`0x${crc}`),
    lastModifiedAt: Number(time),
  }
}

let lastSequence = 0

/** Microseconds since the epoch, never twice the same and never backwards, also when the system's clock is set back while the
 *  process runs. */
export function nextSequence(): number {
  lastSequence = Math.max(lastSequence + 1, Date.now() * 1000)
  return lastSequence
}
