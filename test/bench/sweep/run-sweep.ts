import { setTimeout as delay } from 'node:timers/promises'
import type { Installation } from './installation.ts'
import { cpuMs, ofAll, peakRssBytes, rssBytes } from './process-meter.ts'
import { ageUploads, partBytes, seedUploads } from './seed-uploads.ts'

export interface SweepFigures {
  stale: number
  live: number
  processes: number
  seconds: number
  uploadsPerSecond: number
  /** Answers 204 to AbortMultipartUpload: parts really discarded. */
  abortsApplied: number
  /** AbortMultipartUpload whose answer nobody waited for any more: on a machine with too much to do. Each may be one of the above. */
  abortsUnheard: number
  /** Uploads whose history has the step to `aborted` other than once. */
  notOnce: number
  ossCallsPerAbort: number
  secondLooks: number
  secondLookCalls: number
  serverCpuMsPerAbort: number
  /** The same with the second looks, to the end of the last. */
  serverCpuMsPerUpload: number
  /** Live uploads that are no longer `uploading`, and granted ones that anything was written to. */
  liveTouched: number
  rssBefore: number[]
  rssAfter: number[]
  rssPeak: number[]
  reportedAborted: number
  /** OSS did not answer in time, and recovery or a later look brought them to their end. */
  reportedFailed: number
  reportedFreedBytes: number
  /** How often the table's reports were seen to have moved while the sweep ran. */
  progressSteps: number
}

export interface SweepPlan {
  stale: number
  live: number
  processes: number
  withSecondLooks?: boolean
}

const settleMs = 5_000
const deadlineMs = 3 * 3600 * 1000

/** Has `processes` servers sweep `stale` uploads beside `live` ones, and unless told otherwise to the end of the last second look. */
export async function runSweep(
  { db, cloudDir, startCloud, startServers, ossAnswers, forgetAnswers }: Installation,
  { stale, live, processes, withSecondLooks = true }: SweepPlan,
  tell: (line: string) => void,
): Promise<SweepFigures> {
  const count = async (condition: string) =>
    Number((await db.query(`SELECT count(*) AS count FROM uploads WHERE ${condition}`)).rows[0].count)
  const reported = async () =>
    (
      await db.query(
        'SELECT coalesce(sum(aborted), 0)::int AS aborted, coalesce(sum(failed), 0)::int AS failed, coalesce(sum(freed_bytes), 0)::bigint AS freed FROM sweeps',
      )
    ).rows[0]
  const grantedRows = async () =>
    (
      await db.query(
        `SELECT md5(string_agg(u::text, ' ' ORDER BY id)) AS hash FROM uploads u WHERE subject = 'granted'`,
      )
    ).rows[0].hash
  const until = async (isMet: () => Promise<boolean>) => {
    for (const endsAt = Date.now() + deadlineMs; !(await isMet()); await delay(250)) {
      if (Date.now() > endsAt) throw new Error('the sweep does not come to its end')
    }
  }

  const growing = Math.floor(live / 2)
  await seedUploads(db, cloudDir, 'stale', stale)
  await seedUploads(db, cloudDir, 'granted', live - growing)
  await seedUploads(db, cloudDir, 'growing', growing)
  await db.query('VACUUM ANALYZE uploads')
  tell(`${stale} stale and ${live} live uploads are there`)
  await startCloud()
  const pids = await startServers(processes)
  await delay(settleMs)

  const rssBefore = await ofAll(pids, rssBytes)
  const cpuBefore = sum(await ofAll(pids, cpuMs))
  await forgetAnswers()
  await ageUploads(db)
  const grantedBefore = await grantedRows()
  const startedAt = performance.now()

  let lastReported = 0
  let progressSteps = 0
  let toldAt = startedAt
  await until(async () => {
    const { aborted } = await reported()
    if (aborted > lastReported) progressSteps++
    lastReported = aborted
    if (performance.now() - toldAt > 15_000) {
      tell(`${aborted} aborted after ${Math.round((performance.now() - startedAt) / 1000)} s`)
      toldAt = performance.now()
    }
    return (await count(`state IN ('uploading', 'aborting') AND subject = 'stale'`)) === 0
  })
  const seconds = (performance.now() - startedAt) / 1000
  const cpuSwept = sum(await ofAll(pids, cpuMs)) - cpuBefore
  tell(`swept in ${Math.round(seconds)} s${withSecondLooks ? '; waiting for the second looks' : ''}`)
  // The last numbers are written a moment after the last upload.
  await until(async () => (await db.query('SELECT FROM sweeps WHERE finished_at IS NULL')).rowCount === 0)
  if (withSecondLooks) await until(async () => (await count(`state = 'aborted' AND due_at IS NOT NULL`)) === 0)

  const answers = await ossAnswers()
  const answered = (operation: string) =>
    sum(Object.entries(answers).flatMap(([name, number]) => (name.startsWith(`${operation} `) ? [number] : [])))
  const abortsApplied = answers['AbortMultipartUpload 204'] ?? 0
  const abortsUnheard = answers['AbortMultipartUpload 0'] ?? 0
  // Each look discards once after asking for all ids on the key once; what was asked beyond that were second looks.
  const secondLooks = answered('ListMultipartUploads') - stale
  const notOnce = await db.query(
    `SELECT count(*)::int AS count FROM (
       SELECT u.id FROM uploads u LEFT JOIN events e ON e.upload_id = u.id AND e.detail->>'to' = 'aborted'
       WHERE u.subject = 'stale' GROUP BY u.id HAVING count(e.id) <> 1) AS others`,
  )
  const liveTouched =
    (await count(`state <> 'uploading' AND subject <> 'stale'`)) + ((await grantedRows()) === grantedBefore ? 0 : 1)
  const { aborted: reportedAborted, failed: reportedFailed, freed } = await reported()
  return {
    stale,
    live,
    processes,
    seconds,
    uploadsPerSecond: stale / seconds,
    abortsApplied,
    abortsUnheard,
    notOnce: notOnce.rows[0].count,
    ossCallsPerAbort: (sum(Object.values(answers)) - 2 * secondLooks - growing) / stale,
    secondLooks,
    secondLookCalls: 2 * secondLooks,
    serverCpuMsPerAbort: cpuSwept / stale,
    serverCpuMsPerUpload: (sum(await ofAll(pids, cpuMs)) - cpuBefore) / stale,
    liveTouched,
    rssBefore,
    rssAfter: await ofAll(pids, rssBytes),
    rssPeak: await ofAll(pids, peakRssBytes),
    reportedAborted,
    reportedFailed,
    reportedFreedBytes: Number(freed),
    progressSteps,
  }
}

export const expectedFreedBytes = (aborted: number) => aborted * partBytes
const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0)
