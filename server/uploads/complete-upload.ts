import { setTimeout as delay } from 'node:timers/promises'
import type { EndpointInput, Endpoints, Upload } from '@partway/client/contract'
import type { UploadRow } from '../db/upload-row.ts'
import { beginCompleting, claimIfDue, findUpload } from '../db/upload-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { finishUpload } from './finish-upload.ts'
import { assertServed, loadUpload, viewUpload } from './load-upload.ts'
import { LEASE_SECONDS } from './upload-state.ts'

// Below the patience of proxies (60 s); after it the caller gets 202 and asks again.
const longestAnswerMs = 20_000
const shortestPauseMs = 50
const longestPauseMs = 800

/**
 * Checks every part against OSS and joins them. However many callers on however many instances ask at once, one of them does it; the
 * others wait for its outcome and answer the same. 202 when the outcome takes longer than a request should.
 */
export async function completeUpload(
  deps: Deps,
  principal: Principal,
  { params, body }: EndpointInput<Endpoints['completeUpload']>,
  { signal }: Pick<RequestContext, 'signal'>,
): Promise<Answer<{ upload: Upload }>> {
  let row = await loadUpload(deps, principal, params.id, 'completeUpload')
  const endsAt = performance.now() + longestAnswerMs
  for (let pauseMs = shortestPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    row = await advance(deps, row, body.crc64 ?? null)
    assertServed(row, 'completeUpload')
    if (row.state === 'completed') {
      assertSameFile(row, body.crc64)
      return { status: 200, body: { upload: await viewUpload(deps, row) } }
    }
    if (performance.now() > endsAt || signal.aborted) {
      return { status: 202, body: { upload: await viewUpload(deps, row) } }
    }
    await delay(pauseMs)
    row = (await findUpload(deps.db.prisma, row.id)) ?? row
  }
}

/** Does the work if it is there to be taken: the first to ask, or the first after a lease has run out. Otherwise returns the row as is. */
async function advance(deps: Deps, row: UploadRow, claimedCrc64: string | null): Promise<UploadRow> {
  if (row.state === 'uploading') {
    const won = await beginCompleting(deps.db.prisma, row.id, LEASE_SECONDS)
    if (!won) return row
    deps.passed?.('complete: intent recorded')
    return finishUpload(deps, won, claimedCrc64)
  }
  if (row.state === 'completing' && row.dueAt !== null && row.dueAt <= row.readAt) {
    const claimed = await claimIfDue(deps.db.prisma, row.id, LEASE_SECONDS)
    return claimed ? finishUpload(deps, claimed, claimedCrc64) : row
  }
  return row
}

/** A caller that names another checksum than the object has must not be told that its file is stored. */
function assertSameFile(row: UploadRow, crc64: string | undefined): void {
  if (crc64 === undefined || row.crc64 === null || crc64 === row.crc64) return
  throw new Problem('part-mismatch', 'The upload is completed, with another CRC-64 than the one given.')
}
