import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { compiled } from '../support/compile.ts'
import { readOptions } from '../support/options.ts'
import { startPartway } from '../support/partway.ts'
import { startReport } from '../support/report.ts'
import { failureText, inTurn } from '../support/rounds.ts'
import { makeSampleFile, type SampleFile } from '../support/sample-file.ts'
import { startService } from '../support/service.ts'
import { checkSink, type Sink, startSink } from '../support/sink.ts'
import { median, spreadOf } from '../support/statistics.ts'
import { figure, size, spread, times } from '../support/table.ts'
import { openWorkplace } from '../support/workplace.ts'

export const about = 'an upload killed (SIGKILL) at half and run again, against a fresh upload of the other half'

interface Run {
  wallMs: number
  /** From the call of `upload()`, and from the start of the process. */
  firstByteMs: number
  firstByteOfProcessMs: number
  sentTwiceBytes: number
}

export async function run(given: string[]): Promise<boolean> {
  const options = readOptions(given, { rounds: 3, sizeBytes: 4 * 2 ** 30, partSizeBytes: 8 * 2 ** 20, parallel: 4 })
  const { sizeBytes, partSizeBytes, parallel } = options
  const report = startReport('resume', given, options)
  const place = await openWorkplace()
  try {
    const whole = await makeSampleFile(place.directory, { sizeBytes, partSizeBytes })
    const half = await makeSampleFile(place.directory, { sizeBytes: sizeBytes / 2, partSizeBytes })
    const sink = await startSink(place)
    for (const file of [whole, half]) await sink.learnChecksums(file)
    const server = await startPartway(place, { ossUrl: sink.url })
    const start = async (file: SampleFile, records: string) => {
      const args = [file.path, server.url, server.token, records, String(partSizeBytes), String(parallel)]
      const spawnedAtMs = Date.now()
      const child = place.keep(startService(compiled(new URL('./upload.ts', import.meta.url)), args))
      const { beganAtMs } = (await child.news()) as { beganAtMs: number }
      return { child, beganAtMs, spawnedAtMs }
    }
    const timed = async (file: SampleFile, records: string, storedBefore: number): Promise<Run> => {
      const { child, beganAtMs, spawnedAtMs } = await start(file, records)
      const { doneAtMs } = (await child.news()) as { doneAtMs: number }
      const { received } = await sink.sunk()
      await checkSink(sink, file)
      return {
        wallMs: doneAtMs - beganAtMs,
        firstByteMs: received.firstByteAtMs - beganAtMs,
        firstByteOfProcessMs: received.firstByteAtMs - spawnedAtMs,
        sentTwiceBytes: storedBefore + received.bytes - file.sizeBytes,
      }
    }
    const records = () => mkdtemp(join(place.directory, 'records-'))
    const outcomes = await inTurn<Run>(
      [
        {
          name: 'resumed',
          async run() {
            const own = await records()
            await sink.empty()
            const { child } = await start(whole, own)
            await untilReceived(sink, sizeBytes / 2)
            await child.kill()
            await untilQuiet(sink)
            const sentBefore = (await sink.sunk()).received.bytes
            await sink.forgetReceived()
            return timed(whole, own, sentBefore)
          },
        },
        {
          name: 'fresh upload of the rest',
          async run() {
            await sink.empty()
            return timed(half, await records(), 0)
          },
        },
      ],
      options,
    )
    report.raw('runs', outcomes)
    report.table(
      ['run', 'wall s', 'first byte ms', 'since process start ms', 'sent twice'],
      outcomes.map((outcome) => {
        const { results } = outcome
        if (results.length === 0) return [`${outcome.name} ${failureText(outcome)}`, '–', '–', '–', '–']
        return [
          `${outcome.name} ${failureText(outcome)}`.trim(),
          spread(spreadOf(results.map(({ wallMs }) => wallMs / 1000))),
          spread(spreadOf(results.map(({ firstByteMs }) => firstByteMs))),
          spread(spreadOf(results.map(({ firstByteOfProcessMs }) => firstByteOfProcessMs))),
          size(Math.max(...results.map(({ sentTwiceBytes }) => sentTwiceBytes))),
        ]
      }),
    )
    const [resumed = [], fresh = []] = outcomes.map(({ results }) => results)
    report.note(
      `${size(sizeBytes)}, ${parallel} parts of ${size(partSizeBytes)} in flight, to a sink that lists each part with its CRC-64, as OSS does. While it sends the rest, the resumed upload also sums up the stored half again, to find a source that has changed.`,
    )
    const isDone = resumed.length > 0 && fresh.length > 0
    const twice = Math.max(...resumed.map(({ sentTwiceBytes }) => sentTwiceBytes))
    const firstByte = isDone ? median(resumed.map(({ firstByteMs }) => firstByteMs)) : Number.NaN
    const ratio = isDone
      ? median(resumed.map(({ wallMs }) => wallMs)) / median(fresh.map(({ wallMs }) => wallMs))
      : Number.NaN
    report.target({
      work: 'bytes sent twice',
      figure: isDone ? size(twice) : 'failed',
      target: `≤ ${size(parallel * partSizeBytes)}`,
      isMet: isDone && twice <= parallel * partSizeBytes,
    })
    report.target({
      work: 'first new byte after the start',
      figure: isDone ? `${figure(firstByte)} ms` : 'failed',
      target: '≤ 300 ms',
      isMet: isDone && firstByte <= 300,
    })
    report.target({
      work: 'wall time against a fresh upload of the rest',
      figure: isDone ? times(ratio) : 'failed',
      target: '≤ 1.15 ×',
      isMet: isDone && ratio <= 1.15,
    })
  } finally {
    await place.close()
  }
  return report.end()
}

async function untilReceived(sink: Sink, bytes: number): Promise<void> {
  while ((await sink.received()).bytes < bytes) await delay(5)
}

/** What was under way has arrived, or is lost. */
async function untilQuiet(sink: Sink): Promise<void> {
  for (let before = -1; ; ) {
    const { bytes } = await sink.received()
    if (bytes === before) return
    before = bytes
    await delay(200)
  }
}
