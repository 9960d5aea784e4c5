import { runContender } from '../support/contender-process.ts'
import { type LineProfile, startLine } from '../support/line.ts'
import { readOptions } from '../support/options.ts'
import { startPartway } from '../support/partway.ts'
import { installPeers, peerName } from '../support/peers.ts'
import { startReport } from '../support/report.ts'
import { type Contender, failureText, inTurn, type Outcome } from '../support/rounds.ts'
import { makeSampleFile, type SampleFile } from '../support/sample-file.ts'
import { startSink } from '../support/sink.ts'
import { median, spreadOf } from '../support/statistics.ts'
import { figure, size, spread, times } from '../support/table.ts'
import { startTus } from '../support/tus.ts'
import { openWorkplace, type Workplace } from '../support/workplace.ts'
import type { TransferInput, TransferResult } from '../transfer/input.ts'
import { partwayToSink, type Stage, straightToSink, toTus } from '../transfer/stage.ts'

export const about = 'slow, far and breaking lines'

const MB = 1e6
const profiles: Record<string, { about: string; profile: LineProfile }> = {
  far: {
    about: '200 ms, 2 MB/s, 1 % of connections break (per MiB)',
    profile: { roundTripMs: 200, bytesPerSecond: 2 * MB, breakPerMiB: 0.01 },
  },
  near: { about: '50 ms, 20 MB/s', profile: { roundTripMs: 50, bytesPerSecond: 20 * MB, breakPerMiB: 0 } },
  flapping: {
    about: '50 ms, 20 MB/s, 4 s up and 1 s down in turn',
    profile: { roundTripMs: 50, bytesPerSecond: 20 * MB, breakPerMiB: 0, flapping: { upMs: 4000, downMs: 1000 } },
  },
}

interface Crossing {
  wallSeconds: number
  upBytes: number
  breaks: number
}

export async function run(given: string[]): Promise<boolean> {
  installPeers()
  const options = readOptions(given, {
    rounds: 3,
    warmUps: 0,
    sizeBytes: 64 * 2 ** 20,
    fastSizeBytes: 256 * 2 ** 20,
    partSizeBytes: 8 * 2 ** 20,
    parallel: 4,
    lines: Object.keys(profiles).join(','),
    longestMs: 600_000,
  })
  const report = startReport('links', given, options)
  const place = await openWorkplace()
  try {
    const { partSizeBytes } = options
    const small = await makeSampleFile(place.directory, { sizeBytes: options.sizeBytes, partSizeBytes })
    const large = await makeSampleFile(place.directory, { sizeBytes: options.fastSizeBytes, partSizeBytes })
    for (const name of options.lines.split(',')) {
      const line = profiles[name]
      if (!line) throw new Error(`There is no line ${name}. There are: ${Object.keys(profiles).join(', ')}.`)
      const file = name === 'far' ? small : large
      const contenders = await contendersOver(place, line.profile, file, options)
      const outcomes = await inTurn(contenders, options)
      report.raw(name, outcomes)
      const idealSeconds = file.sizeBytes / line.profile.bytesPerSecond
      report.table(
        ['client', 'finished', 'wall s', '÷ the line', 'sent ÷ file', 'connections cut'],
        outcomes.map((outcome) => row(outcome, file, idealSeconds, options.rounds)),
        `${name}: ${line.about}; ${size(file.sizeBytes)}, which the line alone takes ${figure(idealSeconds)} s for (the floor)`,
      )
      judge(report.target, name, outcomes, options.rounds)
    }
    report.note(
      'A proxy of this machine delays, limits and cuts the connections; all of one client’s connections share the line, Partway’s to its server too. ' +
        '"Retries on": retryMax 20 for ali-oss; 60 retries, a second apart, for tus.',
    )
  } finally {
    await place.close()
  }
  return report.end()
}

async function contendersOver(
  place: Workplace,
  profile: LineProfile,
  file: SampleFile,
  { parallel, longestMs }: { parallel: number; longestMs: number },
): Promise<Contender<Crossing>[]> {
  // What clients are told is the near end of the line; the server itself is beside its OSS.
  const sink = await startSink(place)
  const line = place.keep(startLine(profile))
  const [sinkPort, tus] = [Number(new URL(sink.url).port), await startTus(place).catch((error: Error) => error)]
  const sinkEnd = await line.lead(sinkPort)
  const publicUrl = `http://127.0.0.1:${sinkEnd}`
  const server = await startPartway(place, { ossUrl: sink.url, env: { OSS_PUBLIC_ENDPOINT: publicUrl } })
  const serverEnd = await line.lead(Number(new URL(server.url).port))
  const tusEnd = tus instanceof Error ? 0 : await line.lead(tus.port)

  const cross = async (script: string, stage: Stage, change: Partial<TransferInput> = {}): Promise<Crossing> => {
    const input = { ...(await stage.inputFor(file, parallel)), ...change }
    line.breakAnew()
    const before = line.counts()
    const { result, usage } = await runContender<TransferInput, TransferResult>(
      new URL(`../transfer/${script}`, import.meta.url),
      input,
      { timeoutMs: longestMs },
    )
    const after = line.counts()
    await stage.check(file, result.location)
    return {
      wallSeconds: usage.wallSeconds,
      upBytes: after.upBytes - before.upBytes,
      breaks: after.breaks - before.breaks,
    }
  }
  const partway = partwayToSink({ url: `http://127.0.0.1:${serverEnd}`, token: server.token }, sink)
  const straight = straightToSink(sink, publicUrl)
  const overTus = (change: Partial<TransferInput>) => {
    if (tus instanceof Error) throw tus
    return cross('tus.ts', toTus(tus, `http://127.0.0.1:${tusEnd}/files`), change)
  }
  const [aliOss, tusClient] = [peerName('ali-oss'), peerName('tus-js-client')]
  return [
    { name: 'Partway SDK', run: () => cross('partway.ts', partway) },
    { name: `${aliOss}, defaults`, run: () => cross('ali-oss.ts', straight) },
    { name: `${aliOss}, retries on`, run: () => cross('ali-oss.ts', straight, { retry: 'on' }) },
    { name: `${tusClient}, defaults`, run: async () => overTus({ retry: 'default' }) },
    { name: `${tusClient}, retries on`, run: async () => overTus({ retry: 'on' }) },
  ]
}

function row(outcome: Outcome<Crossing>, file: SampleFile, idealSeconds: number, rounds: number): string[] {
  const { name, results } = outcome
  const finished = `${results.length} of ${rounds}`
  if (results.length === 0) return [`${name} ${failureText(outcome)}`, finished, '–', '–', '–', '–']
  const walls = results.map(({ wallSeconds }) => wallSeconds)
  return [
    `${name} ${failureText(outcome)}`.trim(),
    finished,
    spread(spreadOf(walls)),
    times(median(walls) / idealSeconds),
    times(median(results.map(({ upBytes }) => upBytes)) / file.sizeBytes),
    figure(median(results.map(({ breaks }) => breaks))),
  ]
}

function judge(
  target: ReturnType<typeof startReport>['target'],
  line: string,
  [own, ...peers]: Outcome<Crossing>[],
  rounds: number,
): void {
  const wall = ({ results }: Outcome<Crossing>) => median(results.map(({ wallSeconds }) => wallSeconds))
  if (!own) return
  target({
    work: `finishing over ${line}`,
    figure: `${own.results.length} of ${rounds}`,
    target: 'every time',
    isMet: own.results.length === rounds,
  })
  // A peer that gave up in some rounds is not one that finishes.
  const finishing = peers.filter(({ results }) => results.length === rounds).sort((a, b) => wall(a) - wall(b))
  const [best] = finishing
  if (own.results.length === 0) return
  const ratio = best ? wall(own) / wall(best) : null
  target({
    work: `wall time over ${line} against ${best?.name ?? 'any peer'}`,
    figure: ratio === null ? `${figure(wall(own))} s; no peer finishes` : times(ratio),
    target: '≤ 1.1 ×',
    isMet: ratio === null ? true : ratio <= 1.1,
  })
}
