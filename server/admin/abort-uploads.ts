import type { EndpointInput, Endpoints, Sweep, SweptUpload } from '@partway/client/contract'
import type { UploadRow } from '../db/upload-row.ts'
import { findUploadsById } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { createSweepReport } from '../uploads/sweep-report.ts'
import { adminReach } from './admin-reach.ts'
import { examineUploads, REQUEST_MS } from './examine-upload.ts'
import { toSweepView, toSweptView } from './sweep-view.ts'

/**
 * Gives up uploads that an administrator names, whatever their age, but none that somebody may still be sending: not while a grant or a
 * credential lives, and not when OSS holds more than was known. Throws `upload-not-found`, naming every id that is unknown or out of reach, before
 * anything is touched. Answers after `requestMs`: what is not done by then is told as `not-in-time`.
 */
export async function abortUploads(
  deps: Deps,
  principal: Principal,
  { body }: EndpointInput<Endpoints['abortUploads']>,
  requestMs = REQUEST_MS,
): Promise<Answer<{ sweep: Sweep; uploads: SweptUpload[] }>> {
  const endsAtMs = performance.now() + requestMs
  const tenant = adminReach(principal)
  const rows = await getAll(deps, body.ids, tenant)
  const isDryRun = body.dryRun ?? false
  const by = { tenant: principal.tenant, subject: principal.subject }
  const report = createSweepReport(deps, { kind: 'abort', isDryRun, by, tenant, olderThanSeconds: null })
  const examination = { rule: { kind: 'asked' } as const, isDryRun, endsAtMs, onLook: report.count }
  const looks = await examineUploads(deps, rows, examination)
  const uploads = looks.flatMap((look, index) => {
    const row = rows[index]
    return row ? [toSweptView(row, look)] : []
  })
  return { status: 200, body: { sweep: toSweepView(await report.finish()), uploads } }
}

async function getAll(deps: Deps, ids: readonly string[], tenant: string | null): Promise<UploadRow[]> {
  const found = new Map((await findUploadsById(deps.db.prisma, ids, tenant)).map((row) => [row.id, row]))
  const errors = ids.flatMap((id, index) =>
    found.has(id) ? [] : [{ detail: 'is no upload', pointer: `/body/ids/${index}` }],
  )
  if (errors.length > 0)
    throw new Problem('upload-not-found', 'Some uploads do not exist. None was touched.', { errors })
  return ids.flatMap((id) => found.get(id) ?? [])
}
