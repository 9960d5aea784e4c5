import { type ChildProcess, fork } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Logger } from '../log.ts'

/** What the child tells its parent, once. */
export type LocalCloudNews = { ready: true } | { failed: string }

export interface LocalCloudProcess {
  /** Ends the child, within a second or so. */
  stop(): Promise<void>
}

const START_TIMEOUT_MS = 15_000
const STOP_TIMEOUT_MS = 1_500
/** An orphan of a killed server needs a moment to notice and to let go of ports and data: a start that meets it tries again this long. */
const TAKEOVER_MS = 4_000
const RESTART_DELAYS_MS = [200, 500, 1_000, 2_000, 5_000]
/** A child that ran this long had started well: the next failure counts as the first. */
const SETTLED_MS = 30_000

/**
 * Runs `partway local-cloud` as a child process and resolves when it answers. If it dies it is started again, with growing pauses, until
 * `stop`. The child ends when its IPC channel closes, so it never outlives this process, however that ends. Rejects with what the
 * child says when it cannot start.
 */
export async function startLocalCloudProcess(options: {
  env: NodeJS.ProcessEnv
  log: Logger
}): Promise<LocalCloudProcess> {
  const { env, log } = options
  const stopping = new AbortController()
  let child = await takeOver(env)

  async function keepAlive(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const startedAt = Date.now()
      const code = await ended(child)
      if (stopping.signal.aborted) return
      failures = Date.now() - startedAt > SETTLED_MS ? 0 : failures
      const pauseMs = RESTART_DELAYS_MS[Math.min(failures++, RESTART_DELAYS_MS.length - 1)] ?? 0
      log.warn({ code, pauseMs }, 'the local cloud ended; it is started again')
      await delay(pauseMs, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      child = spawnChild(env)
      await untilReady(child).catch((error: unknown) => log.warn({ err: error }, 'the local cloud did not start'))
    }
  }
  const kept = keepAlive()

  return {
    async stop() {
      stopping.abort()
      await endChild(child)
      await kept
    },
  }
}

/** Starts a child; while something still holds its ports or its data, again and again for a few seconds. */
async function takeOver(env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const giveUpAt = Date.now() + TAKEOVER_MS
  for (;;) {
    const child = spawnChild(env)
    try {
      await untilReady(child)
      return child
    } catch (error) {
      await endChild(child)
      if (Date.now() > giveUpAt) throw error
      await delay(200)
    }
  }
}

function spawnChild(env: NodeJS.ProcessEnv): ChildProcess {
  // The same file that runs now: the build, or in tests the sources.
  const main = new URL(import.meta.url.endsWith('.ts') ? './main.ts' : './main.js', import.meta.url)
  return fork(fileURLToPath(main), ['local-cloud', '--child'], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

function untilReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(new Error(`The local cloud did not answer within ${START_TIMEOUT_MS} ms.`)),
      START_TIMEOUT_MS,
    )
    const onExit = (code: number | null) => settle(new Error(`The local cloud ended with code ${code} while starting.`))
    const onNews = (news: unknown) =>
      settle('ready' in (news as LocalCloudNews) ? null : new Error((news as { failed: string }).failed))
    const onError = (error: Error) => settle(error)
    function settle(error: Error | null): void {
      clearTimeout(timer)
      child.off('exit', onExit).off('message', onNews).off('error', onError)
      if (error) reject(error)
      else resolve()
    }
    child.on('exit', onExit).on('message', onNews).on('error', onError)
  })
}

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', resolve))
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.connected) child.disconnect()
  const timer = new AbortController()
  const late = delay(STOP_TIMEOUT_MS, undefined, { signal: timer.signal }).then(
    () => child.kill('SIGKILL'),
    () => {},
  )
  await ended(child)
  timer.abort()
  await late
}
