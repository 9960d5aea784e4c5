import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../support/free-ports.ts'
import { recommendedNodeOptions } from '../support/node-options.ts'
import { readOptions } from '../support/options.ts'
import { partwayCommand } from '../support/partway.ts'
import { startReport } from '../support/report.ts'
import { failureText, inTurn } from '../support/rounds.ts'
import { median, spreadOf } from '../support/statistics.ts'
import { figure, spread } from '../support/table.ts'
import { openWorkplace } from '../support/workplace.ts'

export const about = 'from a fresh install to ready, and memory when idle'

const root = join(import.meta.dirname, '../../..')

interface Start {
  readyMs: number
  serverRssBytes: number
  cloudRssBytes: number
}

export async function run(given: string[]): Promise<boolean> {
  const options = readOptions(given, { rounds: 5, idleMs: 30_000, withoutNpmStart: false })
  const report = startReport('start', given, options)
  const place = await openWorkplace()
  try {
    const warmDirectory = await mkdtemp(join(place.directory, 'warm-'))
    const serve = [process.execPath, ...recommendedNodeOptions.split(' '), partwayCommand, 'serve']
    const first = () => mkdtemp(join(place.directory, 'first-'))
    const contender = (name: string, command: string[], directory: () => Promise<string> | string) => ({
      name,
      run: async () => startOnce(command, await directory(), options.idleMs),
    })
    const outcomes = await inTurn<Start>(
      [
        contender('partway serve, first', serve, first),
        contender('partway serve, warm', serve, () => warmDirectory),
        ...(!options.withoutNpmStart
          ? [contender('npm start (builds first), warm', ['npm', 'start'], () => warmDirectory)]
          : []),
      ],
      options,
    )
    report.raw('starts', outcomes)
    report.table(
      ['start', 'ready after s', 'idle server MB', 'idle local cloud MB'],
      outcomes.map((outcome) => {
        const { results } = outcome
        if (results.length === 0) return [`${outcome.name} ${failureText(outcome)}`, '–', '–', '–']
        return [
          `${outcome.name} ${failureText(outcome)}`.trim(),
          spread(spreadOf(results.map(({ readyMs }) => readyMs / 1000))),
          figure(median(results.map(({ serverRssBytes }) => serverRssBytes)) / 1e6),
          figure(median(results.map(({ cloudRssBytes }) => cloudRssBytes)) / 1e6),
        ]
      }),
    )
    report.note(
      `Nothing is configured but ${recommendedNodeOptions}: an embedded Postgres, the local cloud, migrations, the pages. "First" makes the database cluster. Memory: resident, ${options.idleMs / 1000} s after ready.`,
    )
    const resultsOf = (index: number) => outcomes[index]?.results ?? []
    for (const [index, atMost] of [
      [0, 8],
      [1, 3],
    ] as const) {
      const ready = resultsOf(index).map(({ readyMs }) => readyMs / 1000)
      report.target({
        work: `${outcomes[index]?.name}`,
        figure: ready.length > 0 ? `${figure(median(ready))} s` : 'failed',
        target: `≤ ${atMost} s`,
        isMet: ready.length > 0 && median(ready) <= atMost,
      })
    }
    const rss = outcomes.flatMap(({ results }) => results.map(({ serverRssBytes }) => serverRssBytes))
    report.target({
      work: 'idle memory of the server',
      figure: rss.length > 0 ? `${figure(median(rss) / 1e6)} MB` : 'failed',
      target: '≤ 120 MB',
      isMet: rss.length > 0 && median(rss) <= 120e6,
    })
  } finally {
    await place.close()
  }
  return report.end()
}

/** Starts, waits until /readyz says yes, idles, looks, and stops. */
async function startOnce(command: string[], directory: string, idleMs: number): Promise<Start> {
  const [port = 0, ossPort = 0, stsPort = 0] = await freePorts(3)
  const { PATH = '', HOME = '' } = process.env
  const [program = '', ...args] = command
  const startedAt = performance.now()
  const child = spawn(program, args, {
    cwd: root,
    env: {
      PATH,
      HOME,
      PARTWAY_DATA_DIR: directory,
      PORT: String(port),
      LOCAL_OSS_PORT: String(ossPort),
      LOCAL_STS_PORT: String(stsPort),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
    // npm passes no signals on: its whole group gets them.
    detached: true,
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr = `${stderr}${chunk}`.slice(-2000)
  })
  const ended = new Promise<'ended'>((resolve) => child.once('exit', () => resolve('ended')))
  const killGroup = (signal: NodeJS.Signals) => {
    if (child.pid && child.exitCode === null) process.kill(-child.pid, signal)
  }
  const onExit = () => killGroup('SIGKILL')
  process.on('exit', onExit)
  try {
    for (;;) {
      const reply = await Promise.race([fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null), ended])
      if (reply === 'ended') throw new Error(`it ended: ${stderr.trim()}`)
      if (reply?.ok) break
      await delay(10)
    }
    const readyMs = performance.now() - startedAt
    await delay(idleMs)
    const local = JSON.parse(readFileSync(join(directory, 'local.json'), 'utf8')) as { pid: number }
    return {
      readyMs,
      serverRssBytes: rssOf(local.pid),
      cloudRssBytes: childrenOf(local.pid).reduce((sum, pid) => sum + (isCloud(pid) ? rssOf(pid) : 0), 0),
    }
  } finally {
    killGroup('SIGTERM')
    await ended
    process.off('exit', onExit)
  }
}

/** Resident memory. Throws where there is no /proc. */
function rssOf(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

function isCloud(pid: number): boolean {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('local-cloud')
}
