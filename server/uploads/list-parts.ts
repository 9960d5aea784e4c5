import type { EndpointInput, Endpoints, StoredPart } from '@partway/client/contract'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { assertServed, loadUpload, throwMoved } from './load-upload.ts'
import { settleLostUpload } from './reconcile-upload.ts'

/** One page of stored parts, straight from OSS. */
export async function listParts(
  deps: Deps,
  principal: Principal,
  { params, query }: EndpointInput<Endpoints['listParts']>,
): Promise<Answer<{ parts: StoredPart[]; nextAfter: number | null }>> {
  const row = await loadUpload(deps, principal, params.id, 'listParts')
  if (row.ossUploadId === null) return { status: 200, body: { parts: [], nextAfter: null } }
  const { after = 0, limit = 1000 } = query
  const page = await deps.objects.listParts(row.key, row.ossUploadId, { after, limit })
  if (!page) {
    assertServed(await settleLostUpload(deps, row), 'listParts')
    return throwMoved(deps, row.id, 'listParts')
  }
  const parts = page.parts.map(({ partNumber, sizeBytes, etag, crc64 }) => ({ partNumber, sizeBytes, etag, crc64 }))
  return { status: 200, body: { parts, nextAfter: page.nextAfter } }
}
