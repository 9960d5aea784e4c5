import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { compiled } from './compile.ts'
import { type Service, startService } from './service.ts'
import type { Workplace } from './workplace.ts'

/** @tus/server with its file store, in a process of its own. */
export interface TusServer extends Service {
  port: number
  /** Where it takes uploads. */
  endpoint: string
  directory: string
}

/** Rejects where the peers are not installed. */
export async function startTus(place: Workplace): Promise<TusServer> {
  const directory = join(place.directory, 'tus')
  await mkdir(directory, { recursive: true })
  const service = place.keep(startService(compiled(new URL('./tus-server.ts', import.meta.url)), [directory]))
  const { port } = await service.news()
  return { ...service, port: Number(port), endpoint: `http://127.0.0.1:${port}/files`, directory }
}
