import { open } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { runContender } from '../support/contender-process.ts'
import { type Line, openLine, startLine } from '../support/line.ts'
import { readOptions } from '../support/options.ts'
import { startPartway } from '../support/partway.ts'
import { startReport } from '../support/report.ts'
import { startSink } from '../support/sink.ts'
import { figure, size } from '../support/table.ts'
import { openWorkplace, startPostgres } from '../support/workplace.ts'
import type { Chatter, ChatterInput } from './upload.ts'

export const about = 'what an upload of very many parts says to the server, and leaves in its database'

const partSizeBytes = 2 ** 20

export async function run(given: string[]): Promise<boolean> {
  const options = readOptions(given, { parts: 10_000 })
  const report = startReport('chatter', given, options)
  const place = await openWorkplace()
  try {
    const path = join(place.directory, 'sparse.bin')
    const file = await open(path, 'w')
    await file.truncate(options.parts * partSizeBytes)
    await file.close()
    const sink = await startSink(place)
    const databaseUrl = await startPostgres(place)
    const server = await startPartway(place, { databaseUrl, ossUrl: sink.url })
    const line: Line = place.keep(startLine(openLine))
    const url = `http://127.0.0.1:${await line.lead(Number(new URL(server.url).port))}`
    const watch = place.keep(await watchRows(databaseUrl))
    const { result, usage } = await runContender<ChatterInput, Chatter>(
      new URL('./upload.ts', import.meta.url),
      { path, partSizeBytes, url, token: server.token },
      { timeoutMs: 7_200_000 },
    )
    const { uploads } = await sink.sunk()
    const stored = uploads[0]?.parts.reduce((sum, part) => sum + part.sizeBytes, 0)
    if (!uploads[0]?.isComplete || stored !== options.parts * partSizeBytes)
      throw new Error(`the sink has ${stored} bytes`)
    report.raw('calls', result)
    report.table(
      ['call', 'requests', 'sent', 'received', 'largest reply'],
      Object.entries(result).map(([name, calls]) => [
        name,
        figure(calls.requests),
        size(calls.sentBytes),
        size(calls.receivedBytes),
        size(calls.largestReplyBytes),
      ]),
      `${options.parts} parts of 1 MiB in ${figure(usage.wallSeconds)} s`,
    )
    const { upBytes, downBytes } = line.counts()
    const most = watch.most()
    const left = await watch.look()
    report.table(
      ['', 'most', 'afterwards'],
      [
        ['rows of parts', figure(most.rows), figure(left.rows)],
        ['bytes of that table, with its indexes', size(most.bytes), size(left.bytes)],
      ],
    )
    report.note(
      `On the wire for control, headers included: ${size(upBytes)} to the server, ${size(downBytes)} back; ${figure((upBytes + downBytes) / options.parts)} bytes for each part.`,
    )
    const requestsOf = (end: string) =>
      Object.entries(result)
        .filter(([name]) => name.endsWith(end))
        .reduce((sum, [, calls]) => sum + calls.requests, 0)
    const grants = requestsOf('/grants')
    report.target({
      work: 'parts per request for grants',
      figure: figure(options.parts / grants),
      target: '≥ 4',
      isMet: grants <= Math.ceil(options.parts / 4),
    })
    const checkpoints = requestsOf('/checkpoint')
    const allowed = Math.max(options.parts / 25, usage.wallSeconds / 2) + 1
    report.target({
      work: 'checkpoints',
      figure: figure(checkpoints),
      target: `≤ ${figure(allowed)}: 1 per 25 parts or 2 s`,
      isMet: checkpoints <= allowed,
    })
    const largest = Math.max(...Object.values(result).map(({ largestReplyBytes }) => largestReplyBytes))
    report.target({ work: 'largest reply', figure: size(largest), target: '≤ 256 KiB', isMet: largest <= 2 ** 18 })
  } finally {
    await place.close()
  }
  return report.end()
}

/** Looks at the table of parts twice a second. */
async function watchRows(databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  let most = { rows: 0, bytes: 0 }
  const look = async () => {
    const { rows } = await client.query<{ rows: string; bytes: string }>(
      `select (select count(*) from upload_parts) as rows, pg_total_relation_size('upload_parts') as bytes`,
    )
    const now = { rows: Number(rows[0]?.rows), bytes: Number(rows[0]?.bytes) }
    most = { rows: Math.max(most.rows, now.rows), bytes: Math.max(most.bytes, now.bytes) }
    return now
  }
  const timer = setInterval(() => void look().catch(() => {}), 500)
  return {
    most: () => most,
    look,
    async stop() {
      clearInterval(timer)
      await client.end()
    },
  }
}
