import type { EndpointInput, Endpoints, Orphan, OrphanAction, OrphanKind } from '@partway/client/contract'
import { z } from 'zod'
import type { Answer, Deps } from '../deps.ts'
import { StorageProblem } from '../oss/object-store.ts'
import type { Principal } from '../principal.ts'
import { adminReach } from './admin-reach.ts'
import { examineSuspect } from './examine-suspect.ts'
import { REQUEST_MS } from './examine-upload.ts'
import { endWithin, findSuspects, type PageStart } from './find-suspects.ts'
import { mapInTime } from './map-in-parallel.ts'
import { readKey, writeKey, writeOrphanId } from './orphan-id.ts'
import { isListedKind, orphanPrefixes, plainTenant } from './orphan-places.ts'
import { type FoundOrphan, refusalOf } from './orphan-standing.ts'
import { foreignCursor, seal, unseal } from './seals.ts'

const defaultLimit = 200
// Each asks OSS and then the database, whose connections are few.
const workers = 8

type Input = EndpointInput<Endpoints['listOrphans']>

/**
 * A page of what bucket and table disagree about: first below KEY_PREFIX, then below DIRECT_PREFIX, in the order of the keys. What a page
 * costs is bounded by its `limit`, and what it takes by `requestMs`: it ends after the last suspect that OSS was asked about by then, and is
 * continued there. It may well be empty and not the last. A suspect that OSS gives no usable answer about is counted and gone past: what lies
 * behind it is not to be hidden by it for ever. Throws `forbidden`, `invalid-request`, and `storage-unavailable` where OSS does not list.
 */
export async function listOrphans(
  deps: Deps,
  principal: Principal,
  { query }: Input,
  requestMs = REQUEST_MS,
): Promise<Answer<{ orphans: Orphan[]; compared: number; unanswered: number; nextCursor: string | null }>> {
  const endsAtMs = performance.now() + requestMs
  const { kind, limit = defaultLimit } = query
  const tenant = adminReach(principal, query.tenant)
  const prefixes = orphanPrefixes(deps.config, tenant, kind)
  const purpose = JSON.stringify(['orphans', deps.objects.bucket, tenant, kind ?? null])
  const start = query.cursor === undefined ? startOf(prefixes[0]) : await readStart(deps, purpose, query.cursor)
  if (start === null) return { status: 200, body: { orphans: [], compared: 0, unanswered: 0, nextCursor: null } }
  // After a change of the configuration.
  if (!prefixes.includes(start.prefix)) throw foreignCursor()

  const { suspects, compared, end } = await findSuspects(deps, start, tenant, limit)
  const asked = suspects.filter(
    ({ listedSince }) => kind === undefined || isListedKind(kind) === (listedSince !== null),
  )
  // A row and the first upload of its key: fewer, and the next page could not begin behind them.
  const atLeast = asked.findIndex((_, index) => endWithin(asked, index + 1) !== null) + 1
  const told = await mapInTime(
    asked,
    workers,
    { endsAtMs, atLeast },
    async (suspect): Promise<(Orphan | StorageProblem)[]> => {
      const found = await examineSuspect(deps, suspect, suspect.row).catch(asUnanswered)
      if (found instanceof StorageProblem) return [found]
      if (found === null || found === 'in-motion' || !isWanted(found, tenant, kind)) return []
      return [await viewOrphan(deps, adminReach(principal), found, suspect.listedSince)]
    },
  )
  const firstLate = told.indexOf(undefined)
  const stop = firstLate === -1 ? null : endWithin(asked, firstLate)
  // What is done of the rest is asked about again.
  const inTime = told.slice(0, stop?.count).flatMap((one) => one ?? [])
  const orphans = inTime.flatMap((one) => (one instanceof StorageProblem ? [] : [one]))
  const unanswered = inTime.length - orphans.length
  if (unanswered > 0) {
    const err = inTime.find((one) => one instanceof StorageProblem)
    deps.log.warn({ unanswered, err }, 'OSS gave no usable answer about what may be orphans')
  }
  const until = stop?.position ?? end
  const next = until ? { prefix: start.prefix, after: until } : startOf(prefixes[prefixes.indexOf(start.prefix) + 1])
  const nextCursor = next && (await seal(deps, purpose, writeStart(next)))
  return { status: 200, body: { orphans, compared: compared(stop?.position ?? null), unanswered, nextCursor } }
}

/** What OSS says of one is this one's trouble; anything else, like a database that is not there, is everybody's, and thrown. */
function asUnanswered(error: unknown): StorageProblem {
  if (error instanceof StorageProblem) return error
  throw error
}

/** A key below a tenant's prefix may belong to another one's row, made when KEY_PREFIX was shorter. */
function isWanted({ kind, row }: FoundOrphan, tenant: string | null, wanted: OrphanKind | undefined): boolean {
  return (wanted === undefined || kind === wanted) && (tenant === null || row === null || row.tenant === tenant)
}

const actions: readonly OrphanAction[] = ['adopt', 'abort', 'close']

async function viewOrphan(
  deps: Deps,
  reach: string | null,
  found: FoundOrphan,
  listedSince: Date | null,
): Promise<Orphan> {
  const { kind, key, ossUploadId, row, stored, object, segment, readAt } = found
  const startedAt = listedSince ?? row?.createdAt ?? null
  return {
    id: await writeOrphanId(deps, reach, { key, ossUploadId, listedSince }),
    kind,
    key,
    ossUploadId,
    uploadId: row?.id ?? null,
    tenant: row?.tenant ?? plainTenant(segment),
    storedBytes: stored?.bytes ?? (kind === 'completed-outside' ? (object?.sizeBytes ?? null) : null),
    partCount: stored?.partCount ?? null,
    startedAt: startedAt?.toISOString() ?? null,
    // OSS and the database have each a clock of their own.
    ageSeconds: startedAt && Math.max(0, Math.floor((readAt.getTime() - startedAt.getTime()) / 1000)),
    credentialsAliveUntil: found.credentialsEndAt?.toISOString() ?? null,
    actions: actions.filter((action) => refusalOf(found, action) === null),
  }
}

const Start = z.tuple([z.string(), z.string().nullable(), z.string().nullable()])

function startOf(prefix: string | undefined): PageStart | null {
  return prefix === undefined ? null : { prefix, after: null }
}

function writeStart({ prefix, after }: PageStart): z.infer<typeof Start> {
  return after ? [prefix, writeKey(after.key), after.ossUploadId] : [prefix, null, null]
}

async function readStart(deps: Deps, purpose: string, cursor: string): Promise<PageStart> {
  const start = Start.safeParse(await unseal(deps, purpose, cursor))
  if (!start.success) throw foreignCursor()
  const [prefix, key, ossUploadId] = start.data
  return { prefix, after: key === null ? null : { key: readKey(key), ossUploadId } }
}
