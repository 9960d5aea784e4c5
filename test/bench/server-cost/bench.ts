import { runContender } from '../support/contender-process.ts'
import { readOptions } from '../support/options.ts'
import { startPartway } from '../support/partway.ts'
import { installPeers, peerName } from '../support/peers.ts'
import { startReport } from '../support/report.ts'
import { requestCounts } from '../support/request-counts.ts'
import { failureText, inTurn } from '../support/rounds.ts'
import { makeSampleFile } from '../support/sample-file.ts'
import { cpuSecondsOf, type Service } from '../support/service.ts'
import { startSink } from '../support/sink.ts'
import { startStatementProxy } from '../support/statement-proxy.ts'
import { median, spreadOf } from '../support/statistics.ts'
import { figure, size, spread, times } from '../support/table.ts'
import { startTus } from '../support/tus.ts'
import { openWorkplace, startPostgres } from '../support/workplace.ts'
import type { TransferInput, TransferResult } from '../transfer/input.ts'
import { partwayToSink, type Stage, toTus } from '../transfer/stage.ts'

export const about = 'what one upload costs the server that keeps its session'

interface Cost {
  cpuSeconds: number
  requests: number | null
  statements: number | null
}

export async function run(given: string[]): Promise<boolean> {
  installPeers()
  const options = readOptions(given, { rounds: 5, sizeBytes: 2 ** 30, partSizeBytes: 8 * 2 ** 20, parallel: 4 })
  const report = startReport('server-cost', given, options)
  const place = await openWorkplace()
  try {
    const file = await makeSampleFile(place.directory, options)
    const sink = await startSink(place)
    const counter = place.keep(await startStatementProxy(await startPostgres(place)))
    const server = await startPartway(place, { databaseUrl: counter.databaseUrl, ossUrl: sink.url })
    const tus = await startTus(place).catch((error: Error) => error)

    const upload = async (service: Service, script: string, stage: Stage) => {
      const input = await stage.inputFor(file, options.parallel)
      const { cpuSeconds, result } = await cpuSecondsOf(service, () =>
        runContender<TransferInput, TransferResult>(new URL(`../transfer/${script}`, import.meta.url), input, {
          timeoutMs: 3_600_000,
        }),
      )
      await stage.check(file, result.result.location)
      return cpuSeconds
    }
    const partwayName = 'Partway server'
    const tusName = peerName('@tus/server')
    const outcomes = await inTurn<Cost>(
      [
        {
          name: partwayName,
          async run() {
            const before = await requestCounts(server.url)
            counter.take()
            const cpuSeconds = await upload(server, 'partway.ts', partwayToSink(server, sink))
            const { statements } = counter.take()
            const after = await requestCounts(server.url)
            return { cpuSeconds, requests: after.total - before.total, statements }
          },
        },
        {
          name: tusName,
          async run() {
            if (tus instanceof Error) throw tus
            return { cpuSeconds: await upload(tus, 'tus.ts', toTus(tus)), requests: null, statements: null }
          },
        },
      ],
      options,
    )
    report.raw('costs', outcomes)
    const cpuOf = (name: string) =>
      outcomes.find((outcome) => outcome.name === name)?.results.map(({ cpuSeconds }) => cpuSeconds) ?? []
    report.table(
      [`server of an upload of ${size(options.sizeBytes)}`, 'CPU s', 'requests', 'statements'],
      outcomes.map((outcome) => {
        if (outcome.results.length === 0) return [`${outcome.name} ${failureText(outcome)}`, '–', '–', '–']
        const middle = (read: (cost: Cost) => number | null) => {
          const values = outcome.results.map(read).filter((value) => value !== null)
          return values.length > 0 ? figure(median(values)) : '–'
        }
        return [
          `${outcome.name} ${failureText(outcome)}`.trim(),
          spread(spreadOf(outcome.results.map(({ cpuSeconds }) => cpuSeconds))),
          middle(({ requests }) => requests),
          middle(({ statements }) => statements),
        ]
      }),
    )
    report.note(
      'The bytes go from Partway’s client to OSS (a sink here) and past its server; tus’s server takes and stores them.',
    )
    const partway = cpuOf(partwayName)
    const peer = cpuOf(tusName)
    report.target({
      work: `server CPU of an upload of ${size(options.sizeBytes)}`,
      figure: partway.length > 0 ? `${figure(median(partway))} s` : 'failed',
      target: '≤ 0.05 s',
      isMet: partway.length > 0 ? median(partway) <= 0.05 : false,
    })
    const ratio = partway.length > 0 && peer.length > 0 ? median(peer) / median(partway) : null
    report.target({
      work: 'less than @tus/server',
      figure: ratio === null ? 'not measured' : times(ratio),
      target: '≥ 100 ×',
      isMet: ratio === null ? null : ratio >= 100,
    })
  } finally {
    await place.close()
  }
  return report.end()
}
