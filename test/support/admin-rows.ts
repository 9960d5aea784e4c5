import { adminSorts, type UploadState } from '@partway/client/contract'
import type { AdminUploadFilter, AdminUploadOrder } from '../../server/db/admin-upload-filter.ts'
import type { Database } from '../../server/db/client.ts'
import type { UploadRow } from '../../server/db/upload-row.ts'
import { findUpload } from '../../server/db/upload-rows.ts'

/* A table of random uploads, and what lists of it must show by a reading of the rules that knows no index. */

const HOUR_MS = 3_600_000
const states: UploadState[] = [
  'uploading',
  'uploading',
  'uploading',
  'pending',
  'completing',
  'aborting',
  'completed',
  'aborted',
]
/** What keys may begin with; some mean something in patterns, and the last is the greatest of all characters. */
export const keyBeginnings = [
  'uploads/acme/',
  'uploads/acme-2/',
  'uploads/%/',
  'uploads/_b/',
  'uploads\\',
  'Uploads/é',
  '\u{10ffff}',
]
export const tenants = ['acme', 'acme-2', 'other', 'Ünïcode']

const isEnded = (state: UploadState) => state === 'completed' || state === 'aborted'

/** The same on every run. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Fills `uploads`. Many rows are alike in what they are sorted by. Ages are odd multiples of half an hour, so that no time passing in a test
 *  brings one over a full hour. Resolves with the rows. */
export async function insertRandomUploads(db: Pick<Database, 'prisma'>, count: number): Promise<UploadRow[]> {
  const random = seededRandom(20_261_126)
  const now = Date.now()
  const pick = <T>(values: readonly T[]) => values[random(values.length)] as T
  const ids: string[] = []
  const ended: Record<'completed' | 'aborted', string[]> = { completed: [], aborted: [] }
  const data = Array.from({ length: count }, (_, index) => {
    const id = `upl_${Array.from({ length: 32 }, () => random(16).toString(16)).join('')}`
    ids.push(id)
    const state = pick(states)
    if (isEnded(state)) ended[state].push(id)
    const idleHours = random(3) === 0 ? random(200) : random(6)
    const sizeBytes = pick([1, 5_000_000, 10_000_000, 2 ** 33])
    const storedBytes = pick([0, 1, sizeBytes])
    return {
      id,
      tenant: pick(tenants),
      subject: `user-${random(3)}`,
      // What ends goes through the trigger that counts it.
      state: isEnded(state) ? 'uploading' : state,
      dueAt: new Date(now + 10 * HOUR_MS),
      fileName: `file ${index}`,
      contentType: 'text/plain',
      sizeBytes,
      partSizeBytes: 1_048_576,
      bucket: 'partway-local',
      region: 'cn-hangzhou',
      key: `${pick(keyBeginnings)}${id}`,
      ossUploadId: state === 'pending' ? null : `oss-${id}`,
      storedBytes: isEnded(state) ? 0 : storedBytes,
      lastActivityAt: new Date(now - (idleHours + 0.5) * HOUR_MS),
      createdAt: new Date(now - (idleHours + random(100) + 0.5) * HOUR_MS),
      abortReason: state === 'aborting' ? 'user' : null,
    }
  })
  await db.prisma.upload.createMany({ data })
  await db.prisma.$executeRaw`
    UPDATE uploads SET state = 'completed', completed_at = now(), etag = 'AB', stored_bytes = size_bytes
    WHERE id = ANY (${ended.completed})`
  await db.prisma
    .$executeRaw`UPDATE uploads SET state = 'aborted', abort_reason = 'user' WHERE id = ANY (${ended.aborted})`
  const rows = await Promise.all(ids.map((id) => findUpload(db.prisma, id)))
  return rows.filter((row) => row !== null)
}

/** The ids a list must show, in its order. */
export function expectedIds(rows: readonly UploadRow[], filter: AdminUploadFilter, order: AdminUploadOrder): string[] {
  const { tenant, idleSeconds, prefix, minBytes } = filter
  const matching = rows.filter(
    (row) =>
      filter.states.includes(row.state) &&
      (tenant === null || row.tenant === tenant) &&
      (idleSeconds === null || row.readAt.getTime() - row.lastActivityAt.getTime() >= idleSeconds * 1000) &&
      (prefix === null || row.key.startsWith(prefix)) &&
      (minBytes === null || row.storedBytes >= minBytes),
  )
  const sign = order.direction === 'asc' ? 1 : -1
  const value = (row: UploadRow) => Number(row[order.sort])
  return matching.sort((a, b) => sign * (value(a) - value(b) || (a.id < b.id ? -1 : 1))).map(({ id }) => id)
}

/** Each sort in both orders. */
export const everyOrder: AdminUploadOrder[] = adminSorts.flatMap((sort) =>
  (['asc', 'desc'] as const).map((direction) => ({ sort, direction })),
)
