import type { EndpointInput, Endpoints, OrphanAction, ResolvedOrphan } from '@partway/client/contract'
import { findCredentialsEnd } from '../db/credential-rows.ts'
import { findUploadsByKeys } from '../db/orphan-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import { coveringResources } from '../grants/covering-resources.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { abortUntilGone } from '../uploads/abort-until-gone.ts'
import { settleLostUpload } from '../uploads/reconcile-upload.ts'
import { adminReach } from './admin-reach.ts'
import { adoptOrphan, findAdopted, isAdopted, ownerOf } from './adopt-orphan.ts'
import { examineSuspect } from './examine-suspect.ts'
import { REQUEST_MS } from './examine-upload.ts'
import { mapInTime } from './map-in-parallel.ts'
import { type NamedOrphan, readOrphanId } from './orphan-id.ts'
import { endOf, type FoundOrphan, refusalOf } from './orphan-standing.ts'

const workers = 8

type Resolution = Omit<ResolvedOrphan, 'id'>

const done = (
  outcome: Resolution['outcome'],
  uploadId: string | null,
  closedAs: Resolution['closedAs'] = null,
): Resolution => ({ outcome, reason: 'done', closedAs, uploadId })
const left = (reason: Resolution['reason'], uploadId: string | null = null): Resolution => ({
  outcome: 'left',
  reason,
  closedAs: null,
  uploadId,
})
const failed = (reason: Resolution['reason'], uploadId: string | null = null): Resolution => ({
  outcome: 'failed',
  reason,
  closedAs: null,
  uploadId,
})

/**
 * Adopts, aborts or closes some orphans. Each is asked about anew by its id, so that whatever was listed is believed no longer; one that
 * fails keeps the others from nothing. With `dryRun` all is asked and answered alike, and nothing changed. Answers after `requestMs`: what is
 * not done by then is told as `not-in-time`. Throws `invalid-request` for an id that was not given to this administrator: then nothing
 * is done at all.
 */
export async function resolveOrphans(
  deps: Deps,
  principal: Principal,
  { body }: EndpointInput<Endpoints['resolveOrphans']>,
  { log }: Pick<RequestContext, 'log'>,
  requestMs = REQUEST_MS,
): Promise<Answer<{ orphans: ResolvedOrphan[] }>> {
  const endsAtMs = performance.now() + requestMs
  const { action, ids, dryRun: isDryRun = false } = body
  const reach = adminReach(principal)
  const named = assertAllNamed(await Promise.all(ids.map((id) => readOrphanId(deps, reach, id))))
  const resolutions = await mapInTime(named, workers, { endsAtMs }, async (orphan) => {
    const resolution = await resolveOrphan(deps, reach, action, orphan, isDryRun).catch((error: unknown) =>
      explainFailure(log, orphan, error),
    )
    if (resolution.reason === 'done' && !isDryRun) {
      const by = { tenant: principal.tenant, subject: principal.subject }
      log.warn({ ...orphan, uploadId: resolution.uploadId, by }, `an orphan was ${resolution.outcome}`)
    }
    return resolution
  })
  // It may be under way, and be done after all: whoever asks again is told.
  const orphans = ids.map((id, index) => ({ id, ...(resolutions[index] ?? failed('not-in-time')) }))
  return { status: 200, body: { orphans } }
}

function assertAllNamed(named: readonly (NamedOrphan | null)[]): NamedOrphan[] {
  const errors = named.flatMap((orphan, index) =>
    orphan === null ? [{ detail: 'must be the id of an orphan from a list', pointer: `/body/ids/${index}` }] : [],
  )
  if (errors.length > 0) throw new Problem('invalid-request', 'An id is not one of ours.', { errors })
  return named.filter((orphan) => orphan !== null)
}

async function resolveOrphan(
  deps: Deps,
  reach: string | null,
  action: OrphanAction,
  named: NamedOrphan,
  isDryRun: boolean,
): Promise<Resolution> {
  const [row = null] = await findUploadsByKeys(deps.db.prisma, deps.objects.bucket, [named.key])
  if (row !== null && reach !== null && row.tenant !== reach) return left('not-an-orphan')
  // Asked for a second time, the first answer having been lost.
  if (row !== null && action === 'adopt' && isAdopted(row, named.ossUploadId)) return done('adopted', row.id)
  const found = await examineSuspect(deps, named, row)
  if (found === null) {
    // Adopted by somebody else since its row was read.
    const adopted = action === 'adopt' ? await findAdopted(deps, named) : null
    return adopted ? done('adopted', adopted.id) : left('not-an-orphan', row?.id)
  }
  if (found === 'in-motion') return left('busy', row?.id)
  const refusal = refusalOf(found, action)
  if (refusal !== null) return left(refusal, found.row?.id)
  switch (action) {
    case 'adopt':
      return adopt(deps, reach, found, isDryRun)
    case 'abort':
      return abort(deps, found, isDryRun)
    case 'close':
      return close(deps, found, isDryRun)
  }
}

async function adopt(deps: Deps, reach: string | null, found: FoundOrphan, isDryRun: boolean): Promise<Resolution> {
  const tenant = await ownerOf(deps, found, reach)
  if (tenant === null) return left('unknown-owner')
  if (isDryRun) return done('adopted', null)
  const adopted = await adoptOrphan(deps, found, tenant)
  return adopted ? done('adopted', adopted.id) : left('wrong-action')
}

/**
 * Aborts an upload, and not an object: whatever was completed under its key stays. That no credentials for it live was read a moment ago, and
 * is read again before every further round. What remains: those handed out while a round is under way, three tries of 8 s at the most. No
 * lock of ours could rule that out, as OSS asks nobody when an abort takes effect.
 */
async function abort(deps: Deps, { key, ossUploadId, row }: FoundOrphan, isDryRun: boolean): Promise<Resolution> {
  const uploadId = row?.id ?? null
  if (isDryRun) return done('aborted', uploadId)
  const hasNoCredentials = async () => {
    const { credentialsEndAt, readAt } = await findCredentialsEnd(
      deps.db.prisma,
      coveringResources(deps.objects.bucket, key),
    )
    return credentialsEndAt === null || credentialsEndAt <= readAt
  }
  const wasThere = await abortUntilGone(deps.objects, key, ossUploadId, hasNoCredentials)
  // An abort was accepted, and nobody may make sure of it now.
  if (wasThere === null) return failed('credential-alive', uploadId)
  return done('aborted', uploadId)
}

async function close(deps: Deps, found: FoundOrphan, isDryRun: boolean): Promise<Resolution> {
  const { row } = found
  if (row === null) return left('not-an-orphan')
  if (isDryRun) return done('closed', row.id, endOf(found))
  const { state, abortReason } = await settleLostUpload(deps, row)
  // What came of it, or somebody else is at it.
  if (state === 'completed') return done('closed', row.id, 'completed')
  return state === 'aborting' || state === 'aborted' ? done('closed', row.id, abortReason) : left('busy', row.id)
}

/** What OSS could not be asked is told of this one; a database that is down fails them all. */
function explainFailure(log: RequestContext['log'], orphan: NamedOrphan, error: unknown): Resolution {
  if (!(error instanceof Problem)) throw error
  log.warn({ ...orphan, err: error }, 'an orphan could not be resolved')
  return failed('storage-unavailable')
}
