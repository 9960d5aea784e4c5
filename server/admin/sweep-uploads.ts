import type { EndpointInput, Endpoints, Sweep, SweptUpload } from '@partway/client/contract'
import { findStaleUploads, positionAfter, type SweepPosition } from '../db/look-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { createSweepReport } from '../uploads/sweep-report.ts'
import { adminReach } from './admin-reach.ts'
import { type Examination, examineUploads, REQUEST_MS } from './examine-upload.ts'
import { toSweepView, toSweptView } from './sweep-view.ts'

const defaultLimit = 100
const pageSize = 50

/**
 * Sweeps when an administrator asks, by another age than STALE_AFTER_SECONDS. Longest idle first: those that may be given up, and then, if there
 * is room, those that may not, with the reason. So whoever asks again while there is `more` comes to an end. Answers after `requestMs`: what was
 * found and is not done by then is told as `not-in-time`.
 */
export async function sweepUploads(
  deps: Deps,
  principal: Principal,
  { body }: EndpointInput<Endpoints['sweepUploads']>,
  requestMs = REQUEST_MS,
): Promise<Answer<{ sweep: Sweep; uploads: SweptUpload[]; more: boolean }>> {
  const endsAtMs = performance.now() + requestMs
  const { olderThanSeconds, dryRun: isDryRun = false, limit = defaultLimit } = body
  const tenant = adminReach(principal, body.tenant)
  const by = { tenant: principal.tenant, subject: principal.subject }
  const report = createSweepReport(deps, { kind: 'sweep', isDryRun, by, tenant, olderThanSeconds })
  const { ttlSeconds } = deps.config.uploads
  const rule = { kind: 'life', staleAfterSeconds: olderThanSeconds, ttlSeconds } as const
  const pass = { deps, tenant, olderThanSeconds, examination: { rule, isDryRun, endsAtMs, onLook: report.count } }
  const uploads: SweptUpload[] = []
  const isThrough = await passOver(pass, true, limit, uploads)
  if (isThrough) await passOver(pass, false, limit, uploads)
  return { status: 200, body: { sweep: toSweepView(await report.finish()), uploads, more: !isThrough } }
}

interface Pass {
  deps: Deps
  tenant: string | null
  olderThanSeconds: number
  examination: Examination
}

/** Examines uploads page by page, and adds what came of them to `swept`, at most `limit`. False when the limit, or the time, was reached first. */
async function passOver(pass: Pass, isFree: boolean, limit: number, swept: SweptUpload[]): Promise<boolean> {
  const { deps, tenant, olderThanSeconds, examination } = pass
  const order = { by: 'idle', olderThanSeconds, tenant } as const
  let after: SweepPosition = null
  while (swept.length < limit && performance.now() < examination.endsAtMs) {
    const page = { after, limit: Math.min(pageSize, limit - swept.length), isFree }
    const rows = await findStaleUploads(deps.db.prisma, deps.objects.bucket, order, page)
    if (rows.length === 0) return true
    after = positionAfter(rows, order, after)
    // One that failed a moment ago is put off by now, and so among the others.
    const fresh = rows.filter((row) => !swept.some(({ id }) => id === row.id))
    const looks = await examineUploads(deps, fresh, examination)
    for (const [index, row] of fresh.entries()) {
      const look = looks[index]
      if (look) swept.push(toSweptView(row, look))
    }
    // Whatever the clock says by now: these are still to be done.
    if (looks.some(({ reason }) => reason === 'not-in-time')) return false
  }
  return false
}
