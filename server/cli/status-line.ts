import { clearLine, cursorTo } from 'node:readline'

/** A line on a terminal that says what goes on and leaves no trace; elsewhere, nothing. */
export interface StatusLine {
  show(text: string): void
  /** Before anything else is written. */
  clear(): void
}

export function createStatusLine(stream: NodeJS.WriteStream = process.stderr): StatusLine {
  let isShown = false
  function clear() {
    if (!isShown) return
    cursorTo(stream, 0)
    clearLine(stream, 0)
    isShown = false
  }
  return {
    show(text) {
      if (!stream.isTTY) return
      clear()
      stream.write(text.slice(0, Math.max(0, stream.columns - 1)))
      isShown = true
    },
    clear,
  }
}
