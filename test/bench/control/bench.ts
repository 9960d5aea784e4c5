import type { Upload } from '@partway/client/contract'
import { runContender } from '../support/contender-process.ts'
import { readOptions } from '../support/options.ts'
import { type Partway, startPartway } from '../support/partway.ts'
import { installPeers, peerName } from '../support/peers.ts'
import { startReport } from '../support/report.ts'
import { type Contender, failureText, inTurn } from '../support/rounds.ts'
import { startSink } from '../support/sink.ts'
import { startStatementProxy } from '../support/statement-proxy.ts'
import { median, percentile, spreadOf } from '../support/statistics.ts'
import { figure, spread, times } from '../support/table.ts'
import { startTus } from '../support/tus.ts'
import { openWorkplace, startPostgres } from '../support/workplace.ts'
import type { LoadInput, LoadResult } from './load.ts'
import { createStoredUpload, createUpload, type LoadRequest, partwayRequests, send } from './partway-requests.ts'

export const about = 'the server’s own work over HTTP with Postgres, OSS being a sink'

/** Statements are counted by a second server whose way to Postgres leads through a counter. */
export async function run(given: string[]): Promise<boolean> {
  installPeers()
  const options = readOptions(given, { rounds: 5, requests: 500, connections: 8 })
  const report = startReport('control', given, options)
  const place = await openWorkplace()
  try {
    const sink = await startSink(place)
    const databaseUrl = await startPostgres(place)
    const server = await startPartway(place, { databaseUrl, ossUrl: sink.url })
    const counter = place.keep(await startStatementProxy(databaseUrl))
    const counted = await startPartway(place, { databaseUrl: counter.databaseUrl, ossUrl: sink.url })
    const statements = await countStatements(counted, counter)

    const { requests: count, connections } = options
    const load = (origin: string, requests: LoadRequest[], wanted: number) =>
      runContender<LoadInput, LoadResult>(new URL('./load.ts', import.meta.url), {
        origin,
        connections,
        requests,
        wanted,
      })
    const of = partwayRequests(server)
    // Of many owners at once: requests for one upload wait for its row.
    const open = await Promise.all(Array.from({ length: connections * 4 }, () => createUpload(server, 1000)))
    const forEach = (make: (id: string) => LoadRequest) =>
      Array.from({ length: count }, (_, index) => make(open[index % open.length]?.id ?? ''))
    const contender = (name: string, make: () => Promise<LoadRequest[]> | LoadRequest[], wanted = 200) => ({
      name,
      run: async () => (await load(server.url, await make(), wanted)).result,
    })
    const tusName = `${peerName('@tus/server')}: create`
    const tus = await startTus(place).catch((error: Error) => error)
    const tusCreate: Contender<LoadResult> = {
      name: tusName,
      async run() {
        if (tus instanceof Error) throw tus
        const headers = { 'tus-resumable': '1.0.0', 'upload-length': '1073741824' }
        const requests = Array.from({ length: count }, () => ({ method: 'POST' as const, path: '/files', headers }))
        return (await load(`http://127.0.0.1:${tus.port}`, requests, 201)).result
      },
    }
    const outcomes = await inTurn<LoadResult>(
      [
        contender('create', () => Array.from({ length: count }, () => of.create(128)), 201),
        tusCreate,
        contender('grants × 4', () => forEach((id) => of.grants(id, 4))),
        contender('grants × 100', () => forEach((id) => of.grants(id, 100))),
        contender('checkpoint × 100', () => forEach((id) => of.checkpoint(id, 100))),
        contender('get', () => forEach(of.get)),
        contender('complete (1 part)', () => completes(server, count)),
      ],
      options,
    )
    const rates = new Map(
      outcomes.map(({ name, results }) => [
        name,
        results.map(({ seconds, latenciesMs }) => latenciesMs.length / seconds),
      ]),
    )
    report.raw('requestsPerSecond', Object.fromEntries(rates))
    report.raw('statements', statements)
    report.table(
      ['request', 'requests/s', 'p50 ms', 'p99 ms', 'statements'],
      outcomes.map((outcome) => {
        const own = rates.get(outcome.name) ?? []
        if (own.length === 0) return [`${outcome.name} ${failureText(outcome)}`, '–', '–', '–', '–']
        const latencies = outcome.results.flatMap(({ latenciesMs }) => latenciesMs)
        return [
          `${outcome.name} ${failureText(outcome)}`.trim(),
          spread(spreadOf(own)),
          figure(percentile(latencies, 0.5)),
          figure(percentile(latencies, 0.99)),
          String(statements[outcome.name] ?? '–'),
        ]
      }),
    )
    report.note(
      `${connections} connections, each with one request at a time. Statements: on the wire to Postgres, BEGIN and COMMIT not among them. ` +
        'Postgres is durable (fsync); tus writes two files per create.',
    )
    const creates = rates.get('create') ?? []
    const tusCreates = rates.get(tusName) ?? []
    const ratio = creates.length > 0 && tusCreates.length > 0 ? median(creates) / median(tusCreates) : null
    report.target({
      work: 'creates/s against tus',
      figure: ratio === null ? 'not measured' : times(ratio),
      target: '≥ 1 ×',
      isMet: ratio === null ? null : ratio >= 1,
    })
    reportStatements(report.target, statements, 'grants', [1, 4, 100], 2)
    reportStatements(report.target, statements, 'checkpoint', [1, 100, 1000], 3)
  } finally {
    await place.close()
  }
  return report.end()
}

async function completes(server: Partway, count: number): Promise<LoadRequest[]> {
  const requests = partwayRequests(server)
  const made: LoadRequest[] = []
  while (made.length < count) {
    const some = await Promise.all(Array.from({ length: 8 }, () => createStoredUpload(server)))
    made.push(...some.map(({ id }) => requests.complete(id)))
  }
  return made.slice(0, count)
}

/** Statements of one request of each kind; the fewest of three, for the server's background work asks Postgres too. */
async function countStatements(
  server: Partway,
  counter: Awaited<ReturnType<typeof startStatementProxy>>,
): Promise<Record<string, number>> {
  const of = partwayRequests(server)
  const upload: Upload = await createUpload(server, 1000)
  const kinds: Record<string, () => Promise<LoadRequest> | LoadRequest> = {
    create: () => of.create(128),
    ...Object.fromEntries([1, 4, 100].map((count) => [`grants × ${count}`, () => of.grants(upload.id, count)])),
    ...Object.fromEntries(
      [1, 100, 1000].map((count) => [`checkpoint × ${count}`, () => of.checkpoint(upload.id, count)]),
    ),
    get: () => of.get(upload.id),
    'complete (1 part)': async () => of.complete((await createStoredUpload(server)).id),
  }
  const found: Record<string, number> = {}
  for (const [kind, make] of Object.entries(kinds)) {
    const counts: number[] = []
    for (let time = 0; time < 3; time++) {
      const request = await make()
      counter.take()
      await send(server.url, request)
      counts.push(counter.take().statements)
    }
    found[kind] = Math.min(...counts)
  }
  return found
}

function reportStatements(
  target: ReturnType<typeof startReport>['target'],
  statements: Record<string, number>,
  kind: string,
  counts: number[],
  atMost: number,
): void {
  const found = counts.map((count) => statements[`${kind} × ${count}`] ?? Number.NaN)
  const isConstant = found.every((value) => value === found[0])
  target({
    work: `statements of ${kind} × ${counts.join(', ')}`,
    figure: found.join(', '),
    target: `≤ ${atMost}, constant`,
    isMet: isConstant && found.every((value) => value <= atMost),
  })
}
