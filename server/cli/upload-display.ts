import { basename } from 'node:path'
import type { UploadNotice, UploadProgress, UploadResult, UploadTaskState } from '@partway/client'
import { Presets, SingleBar } from 'cli-progress'
import { bytesInWords, printable, secondsInWords } from './upload-words.ts'

/** What a person sees of an upload. Everything but the result goes to `stream`, so that stdout stays for programs. */
export interface UploadDisplay {
  progress(progress: UploadProgress): void
  notice(notice: UploadNotice): void
  state(state: UploadTaskState): void
  /** Nothing more is shown but the result. */
  end(): void
  result(result: UploadResult): void
}

/** Without a terminal, a line this often. */
const lineMs = 5000
/** The same trouble is not reported more often than this. */
const retryNoticeMs = 10_000

export function createUploadDisplay(options: {
  file: string
  isQuiet: boolean
  stream: NodeJS.WriteStream
}): UploadDisplay {
  const { stream, isQuiet } = options
  const name = printable(basename(options.file))
  const startedAtMs = Date.now()
  const bar = isQuiet || !stream.isTTY ? undefined : createBar(stream)
  let isBarShown = false
  let lastLineAtMs = Number.NEGATIVE_INFINITY
  let lastRetryAtMs = Number.NEGATIVE_INFINITY
  let restoredBytes = 0

  /** Takes the bar away. It goes back to where it began, so nothing else may be written while it is there. */
  function clearBar() {
    if (isBarShown) bar?.stop()
    isBarShown = false
  }

  function say(line: string) {
    if (isQuiet) return
    clearBar()
    // The next progress draws the bar again, below.
    stream.write(`${line}\n`)
  }

  function inWords({ currentBytes, totalBytes, bytesPerSecond, etaSeconds }: UploadProgress): string {
    const percent = totalBytes === 0 ? 100 : Math.floor((currentBytes / totalBytes) * 100)
    const speed = bytesPerSecond > 0 ? `, ${bytesInWords(bytesPerSecond)}/s, ${secondsInWords(etaSeconds)} left` : ''
    return `${percent} % of ${bytesInWords(totalBytes)}${speed}`
  }

  return {
    progress(progress) {
      restoredBytes = progress.restoredBytes
      if (isQuiet) return
      if (bar) {
        const payload = { name, words: inWords(progress) }
        if (isBarShown) bar.update(progress.currentBytes, payload)
        else bar.start(Math.max(1, progress.totalBytes), progress.currentBytes, payload)
        isBarShown = true
        return
      }
      const isDue = Date.now() - lastLineAtMs >= lineMs
      if (!isDue && progress.currentBytes < progress.totalBytes) return
      lastLineAtMs = Date.now()
      say(`${name}: ${inWords(progress)}`)
    },
    notice(notice) {
      if (notice.type === 'resumed') {
        say(`${name}: going on with upload ${notice.id}, ${bytesInWords(notice.restoredBytes)} are stored already`)
      }
      if (notice.type === 'restarted') {
        say(`${name}: upload ${notice.previousId} cannot be gone on with (${notice.reason}); starting again from zero`)
      }
      if (notice.type === 'record-unavailable') {
        const reason = notice.error instanceof Error ? notice.error.message : String(notice.error)
        say(`${name}: records cannot be kept (${printable(reason)}); the upload goes on without`)
      }
      if (notice.type === 'mode-changed') {
        say(`${name}: no STS credentials (${printable(notice.error.message)}); going on with presigned URLs`)
      }
      if (notice.type === 'retry' && Date.now() - lastRetryAtMs >= retryNoticeMs) {
        lastRetryAtMs = Date.now()
        say(`${name}: ${printable(notice.error.message)}; trying again`)
      }
    },
    state(state) {
      if (state === 'verifying') say(`${name}: comparing the file with what was stored before`)
      if (state === 'completing') say(`${name}: every part is stored, joining them`)
    },
    end: clearBar,
    result({ id, key, crc64, sizeBytes, sentBytes }) {
      const stored = restoredBytes > 0 ? `, ${bytesInWords(restoredBytes)} were stored before` : ''
      const seconds = Math.round((Date.now() - startedAtMs) / 1000)
      console.log(
        `Uploaded ${name}: ${bytesInWords(sizeBytes)} in ${secondsInWords(seconds)}, ${bytesInWords(sentBytes)} sent${stored}`,
      )
      console.log(`  id     ${id}\n  key    ${key}\n  crc64  ${crc64}`)
    },
  }
}

function createBar(stream: NodeJS.WriteStream): SingleBar {
  return new SingleBar(
    { format: '{name} {bar} {words}', stream, clearOnComplete: true, hideCursor: false, gracefulExit: false, fps: 10 },
    Presets.shades_classic,
  )
}
