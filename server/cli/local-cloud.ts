import { Command } from 'commander'
import { loadConfig } from '../config.ts'
import { startLocalCloud } from '../local-cloud/local-cloud.ts'
import { createLogger } from '../log.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { localCloudOptions } from './local-cloud-options.ts'
import type { LocalCloudNews } from './local-cloud-process.ts'
import { explainStartFailure } from './start-failure.ts'

/** How long a close may take before the process ends all the same: everything stored is written atomically. */
const CLOSE_TIMEOUT_MS = 1_000

export const localCloudCommand = new Command('local-cloud')
  .description('run the stand-in for OSS and STS by itself; "serve" runs one as a child process')
  .option('--control-port <port>', 'open the control port for faults and counters; it asks for no key')
  .action(async (options: { controlPort?: string }) => {
    const config = loadConfig()
    const log = createLogger({ level: config.logLevel }).child({ process: 'local-cloud' })
    const controlPort = options.controlPort === undefined ? undefined : Number(options.controlPort)
    if (controlPort !== undefined && !(Number.isInteger(controlPort) && controlPort >= 0 && controlPort <= 65_535)) {
      throw new CommandFailure(exitCode.usage, '--control-port must be a port number')
    }
    if (!config.localCloud) {
      throw new CommandFailure(exitCode.usage, 'OSS_BUCKET is set: with a real bucket there is no local cloud.')
    }
    try {
      const cloud = await startLocalCloud({
        ...localCloudOptions(config),
        ...(controlPort === undefined ? {} : { controlPort }),
        log: (message, fields) => log.info(fields, message),
      })
      endWithParent(() => cloud.close())
      tellParent({ ready: true })
      if (!process.channel) {
        const { ossUrl, stsUrl, controlUrl } = cloud
        console.log(`OSS ${ossUrl}\nSTS ${stsUrl}${controlUrl ? `\nControl ${controlUrl}` : ''}`)
      }
    } catch (error) {
      const message = explainStartFailure(error, config)
      if (!process.connected) throw new CommandFailure(exitCode.failed, message, error)
      // The parent tries again, and says it once if that does not help either.
      tellParent({ failed: message })
      process.exitCode = exitCode.failed
      process.disconnect()
    }
  })

/**
 * Ends this process in order: when the parent's IPC channel closes, which it does even when the parent is killed, or without a parent on a
 * signal. A child ignores signals: Ctrl-C reaches the whole process group, and the parent still needs the cloud to finish its requests.
 */
function endWithParent(close: () => Promise<void>): void {
  const end = () => {
    setTimeout(() => process.exit(0), CLOSE_TIMEOUT_MS).unref()
    void close().finally(() => process.exit(0))
  }
  if (process.channel) {
    process.once('disconnect', end)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
    // The parent may have gone while the cloud was starting.
    if (!process.connected) end()
  } else {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end)
  }
}

function tellParent(news: LocalCloudNews): void {
  if (process.connected) process.send?.(news)
}
