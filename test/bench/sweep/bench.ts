import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { createInstallation } from './installation.ts'
import { expectedFreedBytes, runSweep, type SweepFigures } from './run-sweep.ts'

export const about = 'server processes that share the sweep of stale uploads'

const longestGrowthBytes = 100 * 1_048_576

/** `--stale 100000 --live 1000 --processes 4 --json FILE`. Resolves to false when a target was missed. */
export async function run(options: string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: options,
    options: {
      stale: { type: 'string', default: '100000' },
      live: { type: 'string', default: '1000' },
      processes: { type: 'string', default: '4' },
      json: { type: 'string' },
    },
  })
  const installation = await createInstallation()
  try {
    const asked = { stale: Number(values.stale), live: Number(values.live), processes: Number(values.processes) }
    const figures = await runSweep(installation, asked, (line) => console.log(`… ${line}`))
    const targets = judge(figures)
    console.log(table(figures))
    for (const { text, isMet } of targets) console.log(`${isMet ? 'met   ' : 'MISSED'}  ${text}`)
    if (values.json) await writeFile(values.json, JSON.stringify({ figures, targets }, null, 2))
    return targets.every(({ isMet }) => isMet)
  } finally {
    await installation.close()
  }
}

/** By how much each process was larger at its largest than before it swept. */
const growthBytes = ({ rssBefore, rssPeak }: SweepFigures) =>
  rssPeak.map((peak, index) => peak - (rssBefore[index] ?? 0))

/** What must hold of a sweep, whatever its size. */
export function judge(figures: SweepFigures): { text: string; isMet: boolean }[] {
  const {
    stale,
    abortsApplied,
    abortsUnheard,
    notOnce,
    liveTouched,
    reportedAborted,
    reportedFailed,
    reportedFreedBytes,
    progressSteps,
  } = figures
  const growth = Math.max(...growthBytes(figures))
  const isReported =
    reportedAborted <= stale &&
    reportedAborted + reportedFailed >= stale &&
    reportedFreedBytes === expectedFreedBytes(reportedAborted)
  return [
    {
      text: `each aborted once: ${abortsApplied} of ${stale} heard, ${abortsUnheard} unheard; ${notOnce} rows otherwise`,
      isMet: abortsApplied <= stale && abortsApplied + abortsUnheard >= stale && notOnce === 0,
    },
    { text: `live uploads touched: ${liveTouched}`, isMet: liveTouched === 0 },
    { text: `process growth at most 100 MB: ${megabytes(growth)}`, isMet: growth <= longestGrowthBytes },
    {
      text: `reports tell all of it: ${reportedAborted} aborted, ${reportedFailed} failed at first, ${reportedFreedBytes} bytes; seen to move ${progressSteps} times`,
      isMet: isReported && progressSteps > 1,
    },
  ]
}

function table(figures: SweepFigures): string {
  const rows: [string, string][] = [
    ['stale uploads, live ones beside them', `${figures.stale}, ${figures.live}`],
    ['server processes', `${figures.processes}`],
    ['time', `${figures.seconds.toFixed(1)} s`],
    ['uploads per second', figures.uploadsPerSecond.toFixed(1)],
    ['OSS calls per abort', figures.ossCallsPerAbort.toFixed(2)],
    ['second looks, OSS calls for them', `${figures.secondLooks}, ${figures.secondLookCalls}`],
    ['server CPU per abort', `${figures.serverCpuMsPerAbort.toFixed(2)} ms`],
    ['server CPU per upload, second look included', `${figures.serverCpuMsPerUpload.toFixed(2)} ms`],
    ['resident before, per process', figures.rssBefore.map(megabytes).join(', ')],
    ['resident after', figures.rssAfter.map(megabytes).join(', ')],
    ['resident at most', figures.rssPeak.map(megabytes).join(', ')],
    ['growth at most', growthBytes(figures).map(megabytes).join(', ')],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return `\n${rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n')}\n`
}

const megabytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(0)} MiB`
