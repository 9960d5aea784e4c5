import { Command } from 'commander'
import { type Config, loadConfig } from '../config.ts'
import { startEmbeddedPostgres } from '../local-cloud/embedded-postgres.ts'
import { localSecretFile } from '../local-secret.ts'
import { createLogger, type Logger } from '../log.ts'
import { type RunningServer, startServer } from '../main.ts'
import { urlTo } from '../oss-config.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { startLocalCloudProcess } from './local-cloud-process.ts'
import { readLocalFile, removeLocalFile, writeLocalFile } from './local-file.ts'
import { explainStartFailure } from './start-failure.ts'
import { localUrlOf, startTable } from './start-table.ts'
import { compileWebAssemblyOnce } from './wasm-memory.ts'

/** Everything has stopped by then, or the process ends without it: supervisors kill after 10 s. */
const STOP_TIMEOUT_MS = 9_500

export const serveCommand = new Command('serve')
  .description('run the server; what is not configured (database, OSS and STS) is started beside it')
  .action(async () => {
    compileWebAssemblyOnce()
    const config = loadConfig()
    const log = createLogger({ level: config.logLevel })
    endOnBug(log)
    await refuseSecondServer(config)
    const stopRequested = untilStopSignal()
    const running = await start(config, log)
    const isLocal = config.localCloud !== null
    if (isLocal) await announceToCli(running)
    if (isLocal) console.log(startTable(running.config, running.port))
    else console.log(`partway listens on ${localUrlOf(running.config, running.port)}`)

    log.info({ signal: await stopRequested }, 'stopping')
    // Only while stopping: a timer that has to be kept alive until then would keep nothing else alive.
    setTimeout(() => {
      log.error('not everything stopped in time')
      process.exit(exitCode.failed)
    }, STOP_TIMEOUT_MS).unref()
    await running.stop()
    if (isLocal) await removeLocalFile(config.dataDir, process.pid)
    log.info('stopped')
    process.exit(exitCode.ok)
  })

async function start(config: Config, log: Logger): Promise<RunningServer> {
  try {
    return await startServer(config, log, {
      startPostgres: (dataDir) => startEmbeddedPostgres({ dataDir, log }),
      startCloud: () => startLocalCloudProcess({ env: process.env, log }),
    })
  } catch (error) {
    log.debug({ err: error }, 'the server did not start')
    throw new CommandFailure(exitCode.failed, explainStartFailure(error, config), error)
  }
}

/** Two servers on one data directory would share its objects. Told at once, instead of after waiting for the other's files and ports. */
async function refuseSecondServer(config: Config): Promise<void> {
  const other = config.localCloud && (await readLocalFile(config.dataDir))
  if (!other) return
  const answer = await fetch(`${other.url}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(() => null)
  if (!answer?.ok) return
  throw new CommandFailure(
    exitCode.failed,
    `A server runs on ${config.dataDir} already, at ${other.url} (process ${other.pid}). For a second one, set PARTWAY_DATA_DIR, PORT, LOCAL_OSS_PORT and LOCAL_STS_PORT.`,
  )
}

/** The first SIGINT or SIGTERM; the second ends the process at once, for whoever has no patience. */
function untilStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (isStopping) process.exit(exitCode.failed)
        isStopping = true
        resolve(signal)
      })
    }
  })
}

/** A rejection nobody handles, or an exception nobody catches, is a bug in an unknown state: it is told, and a supervisor starts anew. */
function endOnBug(log: Logger): void {
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, event)
      process.exit(exitCode.failed)
    })
  }
}

function cloudOf({ oss, sts }: Config) {
  return { ossUrl: oss.endpoint, publicOssUrl: oss.publicEndpoint, stsUrl: sts.endpoint }
}

async function announceToCli({ config, port }: RunningServer): Promise<void> {
  const { key, issuer, audience } = config.jwt
  const isOwnSecret = loadConfig().jwt.key === null
  await writeLocalFile(config.dataDir, {
    // Not PUBLIC_URL: that may lead through a proxy that is not there yet.
    url: urlTo(config.http.host, port),
    pid: process.pid,
    ...(config.localCloud ? { cloud: cloudOf(config) } : {}),
    secretFile: isOwnSecret && key?.kind === 'secret' ? localSecretFile(config.dataDir) : null,
    issuer,
    audience,
  })
}
