/** Bytes of a file that this process has open, for who reads them by itself: another thread. */
export interface FileRange {
  /** Inclusive. */
  readonly start: number
  /** Exclusive. */
  readonly end: number
  /** Runs `use` with the descriptor, which stays this file's until `use` has ended. -1 once the file is closed. */
  lend<Result>(use: (fd: number) => Promise<Result>): Promise<Result>
}

// By the stream and not by the source: whoever wraps a source and gives other bytes makes streams of their own, which are none of a file.
const ranges = new WeakMap<object, FileRange>()

/** Says that a stream's bytes are those of `range`. */
export function setFileRange(stream: object, range: FileRange): void {
  ranges.set(stream, range)
}

/** The range whose bytes a stream gives, if it is known. */
export function fileRangeOf(stream: object): FileRange | undefined {
  return ranges.get(stream)
}
