import type { EndpointInput, Endpoints, Upload } from '@partway/client/contract'
import type { Answer, Deps } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { loadUpload, viewUpload } from './load-upload.ts'
import { reconcileUpload } from './reconcile-upload.ts'

/** One upload with its checkpoint; with `reconcile`, as OSS has it at this moment. */
export async function getUpload(
  deps: Deps,
  principal: Principal,
  { params, query }: EndpointInput<Endpoints['getUpload']>,
): Promise<Answer<{ upload: Upload }>> {
  const row = await loadUpload(deps, principal, params.id, 'getUpload')
  const isHere = row.bucket === deps.objects.bucket
  const isReconciled = query.reconcile === 'true' && row.state === 'uploading' && isHere
  const current = isReconciled ? await reconcileUpload(deps, row) : row
  return { status: 200, body: { upload: await viewUpload(deps, current) } }
}
