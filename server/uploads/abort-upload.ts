import type { EndpointInput, Endpoints, Upload } from '@partway/client/contract'
import { beginUserAbort } from '../db/upload-rows.ts'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { discardUpload } from './discard-upload.ts'
import { loadUpload, throwMoved, viewUpload } from './load-upload.ts'
import { LEASE_SECONDS } from './upload-state.ts'

/** Gives an upload up and discards its parts. Again: the same answer. When OSS cannot be reached the upload stays `aborting`, and is
 *  driven on later. */
export async function abortUpload(
  deps: Deps,
  principal: Principal,
  { params }: EndpointInput<Endpoints['abortUpload']>,
): Promise<Answer<{ upload: Upload }>> {
  const row = await loadUpload(deps, principal, params.id, 'abortUpload')
  if (row.state === 'aborting' || row.state === 'aborted') {
    return { status: 200, body: { upload: await viewUpload(deps, row) } }
  }
  const aborting = await beginUserAbort(deps.db.prisma, row.id, LEASE_SECONDS)
  if (!aborting) return throwMoved(deps, row.id, 'abortUpload')
  deps.passed?.('abort: intent recorded')
  const current = await discardUpload(deps, aborting).catch((error: unknown) => {
    deps.log.warn({ uploadId: row.id, err: error }, 'an upload stays aborting for now')
    return aborting
  })
  return { status: 200, body: { upload: await viewUpload(deps, current) } }
}
