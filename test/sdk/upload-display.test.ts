import { describe, expect, it, vi } from 'vitest'
import { createUploadDisplay } from '../../server/cli/upload-display.ts'

/** The lines a terminal shows after `written`: as much of one as the bar and the lines around it use. */
function screenOf(written: string): string[] {
  const rows: string[] = ['']
  let row = 0
  let column = 0
  let saved = { row: 0, column: 0 }
  for (const [token] of written.replaceAll('\u001b', '␛').matchAll(/␛[78]|␛\[\??[0-9;]*[A-Za-z]|\r|\n|[^␛\r\n]+/g)) {
    const line = rows[row] ?? ''
    if (token === '␛7') saved = { row, column }
    else if (token === '␛8') ({ row, column } = saved)
    else if (token === '\r' || /^␛\[1?G$/.test(token)) column = 0
    else if (token === '\n') {
      row += 1
      column = 0
      rows[row] ??= ''
    } else if (/^␛\[2K$/.test(token)) rows[row] = ''
    else if (/^␛\[0?K$/.test(token)) rows[row] = line.slice(0, column)
    else if (!token.startsWith('␛')) {
      rows[row] = line.padEnd(column).slice(0, column) + token + line.slice(column + token.length)
      column += token.length
    }
  }
  return rows
}

describe('the display on a terminal', () => {
  it('keeps every line that was said, and leaves none of the bar', async () => {
    let written = ''
    const stream = {
      isTTY: true,
      columns: 80,
      write(text: string, done?: () => void) {
        written += text
        done?.()
        return true
      },
    } as unknown as NodeJS.WriteStream
    const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void stream.write(`${line}\n`))
    try {
      const display = createUploadDisplay({ file: 'a.bin', isQuiet: false, stream })
      const progress = (currentBytes: number) =>
        display.progress({
          currentBytes,
          totalBytes: 100,
          restoredBytes: 0,
          sentBytes: currentBytes,
          bytesPerSecond: 5,
          etaSeconds: 9,
        })
      display.notice({ type: 'resumed', id: 'upl_1', restoredBytes: 10 })
      progress(10)
      progress(30)
      display.state('verifying')
      progress(60)
      display.notice({ type: 'restarted', previousId: 'upl_1', reason: 'expired' })
      progress(100)
      expect(screenOf(written).at(-1)).toContain('100 %')
      display.state('completing')
      display.end()
      display.result({
        id: 'upl_2',
        key: 'k',
        etag: 'E',
        crc64: '1',
        sizeBytes: 100,
        sentBytes: 100,
        callbackResult: null,
      })
      display.end()
      expect(screenOf(written).map((line) => line.trimEnd())).toEqual([
        'a.bin: going on with upload upl_1, 10 B are stored already',
        'a.bin: comparing the file with what was stored before',
        expect.stringContaining('starting again from zero'),
        'a.bin: every part is stored, joining them',
        'Uploaded a.bin: 100 B in 0 s, 100 B sent',
        '  id     upl_2',
        '  key    k',
        '  crc64  1',
        '',
      ])
    } finally {
      log.mockRestore()
    }
  })
})
