import { setTimeout as delay } from 'node:timers/promises'
import type { EndpointInput, Endpoints, Reply } from '@partway/client/contract'
import { findCallbackResult } from '../db/callback-rows.ts'
import type { UploadRow } from '../db/upload-row.ts'
import { beginCompleting, claimIfDue } from '../db/upload-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { Problem } from '../problem.ts'
import { finishUpload } from './finish-upload.ts'
import { assertServed, loadUpload, throwMoved, viewUpload } from './load-upload.ts'
import { rereadUpload } from './reread-upload.ts'
import { LEASE_SECONDS } from './upload-state.ts'

// Below the patience of proxies (60 s); after it the caller gets 202 and asks again.
const longestAnswerMs = 20_000
const shortestPauseMs = 50
const longestPauseMs = 800

/**
 * Checks every part against OSS and joins them. However many callers on however many instances ask at once, one of them has it done; the
 * others wait for its outcome and answer the same. 202 when the outcome takes longer than a request should: the work goes on.
 */
export async function completeUpload(
  deps: Deps,
  principal: Principal,
  { params, body }: EndpointInput<Endpoints['completeUpload']>,
  { signal }: Pick<RequestContext, 'signal'>,
): Promise<Answer<Reply<'completeUpload'>>> {
  let row = await loadUpload(deps, principal, params.id, 'completeUpload')
  const endsAt = performance.now() + longestAnswerMs
  for (let pauseMs = shortestPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    row = (await inTime(advance(deps, row, body.crc64 ?? null), endsAt, signal)) ?? (await rereadUpload(deps, row.id))
    assertServed(row, 'completeUpload')
    if (row.state === 'completed') {
      assertSameFile(row, body.crc64)
      const callbackResult = await findCallbackResult(deps.db.prisma, row.id)
      return { status: 200, body: { upload: await viewUpload(deps, row), callbackResult } }
    }
    if (performance.now() > endsAt || signal.aborted) {
      if (row.state !== 'completing') return throwMoved(deps, row.id, 'completeUpload')
      return { status: 202, body: { upload: await viewUpload(deps, row), callbackResult: null } }
    }
    await delay(pauseMs)
    row = await rereadUpload(deps, row.id)
  }
}

// What this process is completing at the moment: callers here share one outcome, whatever it is, instead of each trying after the other.
// Only an optimisation: between processes the row decides.
const underWay = new WeakMap<Deps, Map<string, Promise<UploadRow>>>()

/** Does the work if it is there to be taken: the first to ask, or the first after a lease has run out. Otherwise returns the row as is. */
async function advance(deps: Deps, row: UploadRow, claimedCrc64: string | null): Promise<UploadRow> {
  const outcomes = underWay.get(deps) ?? new Map<string, Promise<UploadRow>>()
  underWay.set(deps, outcomes)
  const shared = outcomes.get(row.id)
  if (shared) return shared
  const held = await take(deps, row, claimedCrc64)
  if (!held) return row
  const outcome = finishUpload(deps, held).finally(() => outcomes.delete(row.id))
  outcomes.set(row.id, outcome)
  return outcome
}

async function take(deps: Deps, row: UploadRow, claimedCrc64: string | null): Promise<UploadRow | null> {
  if (row.state === 'uploading') {
    const won = await beginCompleting(deps.db.prisma, row.id, claimedCrc64, LEASE_SECONDS)
    if (won) deps.passed?.('complete: intent recorded')
    return won
  }
  const isLeft = row.state === 'completing' && row.dueAt !== null && row.dueAt <= row.readAt
  return isLeft ? claimIfDue(deps.db.prisma, row.id, LEASE_SECONDS) : null
}

/** The outcome of `work`, or null when the caller has waited long enough or hung up. `work` goes on, and its lease with it. */
async function inTime<T>(work: Promise<T>, endsAt: number, signal: AbortSignal): Promise<T | null> {
  // Handled where it is awaited; after that nobody may be left to.
  work.catch(() => {})
  const waiting = new AbortController()
  const leftMs = Math.max(0, endsAt - performance.now())
  try {
    const tooLong = delay(leftMs, null, { signal: AbortSignal.any([waiting.signal, signal]) }).catch(() => null)
    return await Promise.race([work, tooLong])
  } finally {
    waiting.abort()
  }
}

/** A caller that names another checksum than the object has must not be told that its file is stored. */
function assertSameFile(row: UploadRow, crc64: string | undefined): void {
  if (crc64 === undefined || row.crc64 === null || crc64 === row.crc64) return
  throw new Problem('part-mismatch', 'The upload is completed, with another CRC-64 than the one given.')
}
