import { join } from 'node:path'
import { createApp } from './app.ts'
import { startBackgroundWork } from './background/start-background-work.ts'
import { type Config, withLocalDefaults } from './config.ts'
import { closeDeps, createDeps } from './create-deps.ts'
import { listen } from './http/http-server.ts'
import { localSecret } from './local-secret.ts'
import type { Logger } from './log.ts'
import { migrate } from './migrate.ts'

/** How long requests under way may take to finish, and everything else after them; together well under the 10 s an operator waits. */
const REQUEST_GRACE_MS = 5_000

export interface RunningServer {
  /** The configuration it runs with, secret and database included. */
  config: Config
  port: number
  /** Stops in order: no new requests, those under way, background work, connections, and last what was started for it. */
  stop(): Promise<void>
}

/** Something started for the server in local mode, and stopped after it. */
export interface Started {
  stop(): Promise<void>
}

/** What `partway serve` starts beside the server when nothing is configured; the library never does. */
export interface LocalParts {
  startPostgres(dataDir: string): Promise<Started & { databaseUrl: string }>
  startCloud(): Promise<Started>
}

/**
 * Runs a server: Postgres and local cloud if none are configured, migrations, the app, background work. Whatever has been started is stopped
 * again when a later step fails. Throws what that step threw.
 */
export async function startServer(config: Config, log: Logger, local: LocalParts): Promise<RunningServer> {
  const started: Started[] = []
  const stopAll = async () => {
    for (const part of started.splice(0).reverse()) {
      await part
        .stop()
        .catch((error: unknown) => log.error({ err: error }, 'a part of the server did not stop cleanly'))
    }
  }
  const keep = <Part extends Started>(part: Part): Part => {
    started.push(part)
    return part
  }
  try {
    // Both take a moment, and neither needs the other.
    const [cloud, postgres] = await Promise.allSettled([
      config.localCloud ? local.startCloud().then(keep) : null,
      config.database.url === null ? local.startPostgres(join(config.dataDir, 'postgres')).then(keep) : null,
    ])
    if (cloud.status === 'rejected') throw cloud.reason
    if (postgres.status === 'rejected') throw postgres.reason
    const complete = withLocalDefaults(config, {
      ...(postgres.value ? { databaseUrl: postgres.value.databaseUrl } : {}),
      ...(config.jwt.key === null ? { jwtSecret: await localSecret(config.dataDir) } : {}),
    })
    await migrate({ databaseUrl: complete.database.url, log })

    const deps = createDeps(complete, { log })
    keep({ stop: () => closeDeps(deps) })
    let isDraining = false
    const server = await listen(
      createApp(deps, { isDraining: () => isDraining }),
      complete.http.host,
      complete.http.port,
    )
    const background = startBackgroundWork(deps)
    keep({
      async stop() {
        isDraining = true
        await Promise.all([server.close(REQUEST_GRACE_MS), background.stop()])
      },
    })
    return { config: complete, port: server.port, stop: stopAll }
  } catch (error) {
    await stopAll()
    throw error
  }
}
