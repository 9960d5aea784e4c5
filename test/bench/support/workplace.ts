import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { startEmbeddedPostgres } from '../../../server/local-cloud/embedded-postgres.ts'

/** A directory for files, and what has to be stopped at the end; the last that was kept is stopped first. */
export interface Workplace {
  directory: string
  keep<Part extends { stop(): Promise<unknown> }>(part: Part): Part
  close(): Promise<void>
}

export async function openWorkplace(): Promise<Workplace> {
  const directory = await mkdtemp(join(tmpdir(), 'partway-bench-'))
  const kept: { stop(): Promise<unknown> }[] = []
  return {
    directory,
    keep(part) {
      kept.push(part)
      return part
    },
    async close() {
      for (const part of kept.splice(0).reverse()) await part.stop().catch(() => {})
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A Postgres as `partway serve` starts it: durable, with the settings it comes with. */
export async function startPostgres(place: Workplace): Promise<string> {
  const dataDir = await mkdtemp(join(place.directory, 'postgres-'))
  const postgres = await startEmbeddedPostgres({ dataDir, log: pino({ level: 'silent' }) })
  place.keep(postgres)
  return postgres.databaseUrl
}
