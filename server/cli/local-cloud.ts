import { Command, Option } from 'commander'
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
  .addOption(new Option('--child', 'end when the IPC channel to the parent closes').hideHelp())
  .action(async (options: { controlPort?: string; child?: boolean }) => {
    let close = async () => {}
    if (options.child) endWithParent(() => close())
    else endOnSignal(() => close())
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
      close = cloud.close
      tellParent({ ready: true })
      if (!options.child) {
        const { ossUrl, stsUrl, controlUrl } = cloud
        console.log(`OSS ${ossUrl}\nSTS ${stsUrl}${controlUrl ? `\nControl ${controlUrl}` : ''}`)
      }
    } catch (error) {
      const message = explainStartFailure(error, config)
      if (!options.child) throw new CommandFailure(exitCode.failed, message, error)
      // The parent tries again, and says it once if that does not help either.
      tellParent({ failed: message })
      process.exitCode = exitCode.failed
      if (process.connected) process.disconnect()
    }
  })

/**
 * Ends this process when the parent's IPC channel closes, which it does even when the parent is killed, and even before this process has
 * come so far as to notice. Signals are ignored: Ctrl-C reaches the whole process group, and the parent still needs the cloud to finish
 * its requests.
 */
function endWithParent(close: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  process.once('disconnect', () => end(close))
  if (!process.connected) end(close)
}

function endOnSignal(close: () => Promise<void>): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => end(close))
}

function end(close: () => Promise<void>): void {
  setTimeout(() => process.exit(exitCode.ok), CLOSE_TIMEOUT_MS).unref()
  void close().finally(() => process.exit())
}

function tellParent(news: LocalCloudNews): void {
  if (process.connected) process.send?.(news)
}
