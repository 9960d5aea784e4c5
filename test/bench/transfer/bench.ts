import { type Measured, runContender } from '../support/contender-process.ts'
import { readOptions } from '../support/options.ts'
import { startPartway } from '../support/partway.ts'
import { installPeers, peerName } from '../support/peers.ts'
import { type Report, startReport } from '../support/report.ts'
import { type Contender, failureText, inTurn, type Outcome } from '../support/rounds.ts'
import { makeSampleFile, type SampleFile } from '../support/sample-file.ts'
import { startSink } from '../support/sink.ts'
import { median, spreadOf } from '../support/statistics.ts'
import { figure, size, spread, times } from '../support/table.ts'
import { startTus } from '../support/tus.ts'
import { openWorkplace, type Workplace } from '../support/workplace.ts'
import type { TransferInput, TransferResult } from './input.ts'
import { partwayToSink, type Stage, startLocalOss, straightToSink, toTus } from './stage.ts'

export const about =
  'a file in parts, to a bare sink and to the local OSS: time, processor time and memory of the client'

const names = {
  floor: 'floor: undici PUTs',
  hashes: 'floor: MD5 + CRC-64 in memory',
  partway: 'Partway SDK, MD5 + CRC-64',
}
const longestMs = 3_600_000
const mostRssBytes = 150e6

type Sent = Measured<TransferResult>

export async function run(given: string[]): Promise<boolean> {
  installPeers()
  const options = readOptions(given, {
    rounds: 5,
    sizeBytes: 2 ** 30,
    partSizeBytes: 8 * 2 ** 20,
    parallel: 4,
    bigSizeBytes: 10 * 2 ** 30,
  })
  const { sizeBytes, partSizeBytes, bigSizeBytes } = options
  const report = startReport('transfer', given, options)
  const place = await openWorkplace()
  try {
    const file = await makeSampleFile(place.directory, { sizeBytes, partSizeBytes })
    const contestants = await sinkContenders(place, file, options.parallel)
    const toSink = await inTurn(contestants, options)
    judge(report, `to a sink (${size(sizeBytes)})`, toSink)
    const toLocalOss = await inTurn(await localContenders(place, file, options.parallel), options)
    judge(report, `to the local OSS (${size(sizeBytes)})`, toLocalOss, hashSeconds(toSink))
    if (bigSizeBytes > 0)
      await runBig(report, place, { bigSizeBytes, partSizeBytes, parallel: options.parallel }, toSink)
    report.note(
      'Each client runs in a process of its own, the sink, the server and the local OSS in others. What arrived was compared after every round: ' +
        'part by part (CRC-32) in the sink, by the object’s CRC-64 in the local OSS, by a CRC-64 of the stored file for tus, which sends one part after the other, as its file store joins no parallel uploads. ' +
        'The sink speaks as much of OSS as the server and the clients need, checks no signature and drops what it reads.',
    )
  } finally {
    await place.close()
  }
  return report.end()
}

/** A client that sends `file` to `stage`, in a new process each time. */
function client(name: string, script: string, stage: Stage, file: SampleFile, parallel: number): Contender<Sent> {
  return {
    name,
    async run() {
      const input = await stage.inputFor(file, parallel)
      const sent = await runContender<TransferInput, TransferResult>(new URL(script, import.meta.url), input, {
        timeoutMs: longestMs,
      })
      await stage.check(file, sent.result.location)
      return sent
    },
  }
}

async function sinkContenders(place: Workplace, file: SampleFile, parallel: number): Promise<Contender<Sent>[]> {
  const sink = await startSink(place)
  const server = await startPartway(place, { ossUrl: sink.url })
  const straight = straightToSink(sink)
  const hashing: Contender<Sent> = {
    name: names.hashes,
    run: () => runContender(new URL('./hashes.ts', import.meta.url), { ...file, parallel, url: '' }),
  }
  return [
    client(names.floor, './undici.ts', straight, file, parallel),
    hashing,
    client(names.partway, './partway.ts', partwayToSink(server, sink), file, parallel),
    client(peerName('ali-oss'), './ali-oss.ts', straight, file, parallel),
    client(peerName('@aws-sdk/lib-storage'), './lib-storage.ts', straight, file, parallel),
  ]
}

async function localContenders(place: Workplace, file: SampleFile, parallel: number): Promise<Contender<Sent>[]> {
  const { partway, straight } = await startLocalOss(place)
  const tusName = `${peerName('tus-js-client')} to ${peerName('@tus/server')}`
  const tus = await startTus(place).catch((error: Error) => error)
  return [
    client(names.floor, './undici.ts', straight, file, parallel),
    client(names.partway, './partway.ts', partway, file, parallel),
    client(peerName('ali-oss'), './ali-oss.ts', straight, file, parallel),
    tus instanceof Error
      ? { name: tusName, run: () => Promise.reject(tus) }
      : client(tusName, './tus.ts', toTus(tus), file, parallel),
  ]
}

const wallOf = (sent: readonly Sent[]) => sent.map(({ usage }) => usage.wallSeconds)
const cpuOf = (sent: readonly Sent[]) => sent.map(({ usage }) => usage.cpuSeconds)
const rssOf = (sent: readonly Sent[]) => sent.map(({ usage }) => usage.peakRssBytes)
const resultsOf = (outcomes: readonly Outcome<Sent>[], name: string) =>
  outcomes.find((outcome) => outcome.name === name)?.results ?? []

function hashSeconds(outcomes: readonly Outcome<Sent>[]): number {
  const results = resultsOf(outcomes, names.hashes)
  return results.length > 0 ? median(cpuOf(results)) : Number.NaN
}

function judge(report: Report, where: string, outcomes: Outcome<Sent>[], hashes = hashSeconds(outcomes)): void {
  const floor = resultsOf(outcomes, names.floor)
  const floorWall = floor.length > 0 ? median(wallOf(floor)) : Number.NaN
  const floorCpu = floor.length > 0 ? median(cpuOf(floor)) : Number.NaN
  report.raw(where, outcomes)
  report.table(
    ['client', 'wall s', '÷ floor', 'CPU s', '÷ floor', 'peak RSS MB'],
    outcomes.map(({ name, results, failures }) => {
      if (results.length === 0) return [`${name} ${failureText({ results, failures })}`, '–', '–', '–', '–', '–']
      const isWork = name !== names.hashes
      return [
        `${name} ${failureText({ results, failures })}`.trim(),
        isWork ? spread(spreadOf(wallOf(results))) : '',
        isWork ? times(median(wallOf(results)) / floorWall) : '',
        spread(spreadOf(cpuOf(results))),
        times(median(cpuOf(results)) / floorCpu),
        isWork ? figure(Math.max(...rssOf(results)) / 1e6) : '',
      ]
    }),
    where,
  )
  const partway = resultsOf(outcomes, names.partway)
  const aliOss = resultsOf(outcomes, peerName('ali-oss'))
  if (partway.length === 0) {
    report.target({ work: `upload ${where}`, figure: 'failed', target: 'done', isMet: false })
    return
  }
  const allowed = floorCpu + hashes
  const cpu = median(cpuOf(partway))
  report.target({
    work: `client CPU ${where}`,
    figure: `${figure(cpu)} s = ${times(cpu / allowed)}`,
    target: `≤ 1.15 × (floor + hashes = ${figure(allowed)} s)`,
    isMet: Number.isNaN(allowed) ? null : cpu <= 1.15 * allowed,
  })
  const wall = median(wallOf(partway))
  report.target({
    work: `wall time ${where}`,
    figure: times(wall / floorWall),
    target: '≤ 1.15 × floor',
    isMet: Number.isNaN(floorWall) ? null : wall <= 1.15 * floorWall,
  })
  report.target({
    work: `wall time ${where} against ali-oss`,
    figure: aliOss.length > 0 ? times(wall / median(wallOf(aliOss))) : 'ali-oss failed',
    target: '< 1 ×',
    isMet: aliOss.length > 0 ? wall < median(wallOf(aliOss)) : null,
  })
  reportRss(report, where, partway)
}

function reportRss(report: Report, where: string, partway: readonly Sent[]): void {
  const peak = Math.max(...rssOf(partway))
  report.target({
    work: `peak RSS ${where}`,
    figure: `${figure(peak / 1e6)} MB`,
    target: '≤ 150 MB',
    isMet: peak <= mostRssBytes,
  })
}

/** One upload of a file ten times as large: memory must not grow with it. */
async function runBig(
  report: Report,
  place: Workplace,
  { bigSizeBytes, partSizeBytes, parallel }: { bigSizeBytes: number; partSizeBytes: number; parallel: number },
  small: Outcome<Sent>[],
): Promise<void> {
  const file = await makeSampleFile(place.directory, { sizeBytes: bigSizeBytes, partSizeBytes })
  const contenders = await sinkContenders(await subplace(place), file, parallel)
  const outcomes = await inTurn(
    contenders.filter(({ name }) => name === names.partway),
    { rounds: 1, warmUps: 0 },
  )
  const big = resultsOf(outcomes, names.partway)
  const where = `to a sink (${size(bigSizeBytes)})`
  report.raw(where, outcomes)
  if (big.length === 0) {
    report.target({
      work: `peak RSS ${where}`,
      figure: failureText(outcomes[0] ?? { results: [], failures: [] }),
      target: '≤ 150 MB',
      isMet: false,
    })
    return
  }
  report.note(
    `${size(bigSizeBytes)}: ${figure(median(wallOf(big)))} s, peak RSS ${figure(Math.max(...rssOf(big)) / 1e6)} MB ` +
      `(${figure(Math.max(...rssOf(resultsOf(small, names.partway)), 0) / 1e6)} MB for the small file).`,
  )
  reportRss(report, where, big)
}

async function subplace(place: Workplace): Promise<Workplace> {
  const inner = await openWorkplace()
  place.keep({ stop: () => inner.close() })
  return inner
}
