import { endpoints } from '@partway/client/contract'
import { Router } from 'express'
import { abortUploads } from '../admin/abort-uploads.ts'
import { getAdminUpload } from '../admin/get-admin-upload.ts'
import { getCors } from '../admin/get-cors.ts'
import { getLifecycle } from '../admin/get-lifecycle.ts'
import { getSummary } from '../admin/get-summary.ts'
import { getTenant } from '../admin/get-tenant.ts'
import { listAdminUploads } from '../admin/list-admin-uploads.ts'
import { listEvents } from '../admin/list-events.ts'
import { listOrphans } from '../admin/list-orphans.ts'
import { listSweeps } from '../admin/list-sweeps.ts'
import { mendLifecycle } from '../admin/mend-lifecycle.ts'
import { resolveOrphans } from '../admin/resolve-orphans.ts'
import { sweepUploads } from '../admin/sweep-uploads.ts'
import { updateTenant } from '../admin/update-tenant.ts'
import type { Deps } from '../deps.ts'
import { askAuthServer, authServerProblem } from '../grants/ask-auth-server.ts'
import { createAuthUrl, revokeAuthUrl } from '../grants/auth-url.ts'
import { grantDirectCredentials } from '../grants/direct-credentials.ts'
import { grantCredentials } from '../grants/grant-credentials.ts'
import { abortUpload } from '../uploads/abort-upload.ts'
import { completeUpload } from '../uploads/complete-upload.ts'
import { createUpload } from '../uploads/create-upload.ts'
import { getUpload } from '../uploads/get-upload.ts'
import { grantParts } from '../uploads/grant-parts.ts'
import { listParts } from '../uploads/list-parts.ts'
import { listUploads } from '../uploads/list-uploads.ts'
import { saveCheckpoint } from '../uploads/save-checkpoint.ts'
import type { Authenticate } from './authenticate.ts'
import { bind } from './bind.ts'
import { refuseOtherMethods } from './other-methods.ts'

/** The whole HTTP API on one screen: each endpoint of the contract and the use case behind it. */
export function routes(deps: Deps, authenticate: Authenticate): Router {
  const router = Router({ caseSensitive: true, strict: true })
  const api = { router, authenticate }

  bind(api, endpoints.createUpload, (principal, input) => createUpload(deps, principal, input))
  bind(api, endpoints.listUploads, (principal, input) => listUploads(deps, principal, input))
  bind(api, endpoints.getUpload, (principal, input) => getUpload(deps, principal, input))
  bind(api, endpoints.listParts, (principal, input) => listParts(deps, principal, input))
  bind(api, endpoints.grantParts, (principal, input) => grantParts(deps, principal, input))
  bind(api, endpoints.saveCheckpoint, (principal, input) => saveCheckpoint(deps, principal, input))
  bind(api, endpoints.completeUpload, (principal, input, context) => completeUpload(deps, principal, input, context))
  bind(api, endpoints.abortUpload, (principal, input) => abortUpload(deps, principal, input))
  bind(api, endpoints.grantCredentials, (principal, input, context) =>
    grantCredentials(deps, principal, input, context),
  )
  bind(api, endpoints.grantDirectCredentials, (principal, _input, context) =>
    grantDirectCredentials(deps, principal, context),
  )
  bind(api, endpoints.createAuthUrl, (principal, _input, context) => createAuthUrl(deps, principal, context))
  bind(api, endpoints.revokeAuthUrl, (principal, input) => revokeAuthUrl(deps, principal, input))
  bind(
    api,
    endpoints.askAuthServer,
    (_principal, input, context) => askAuthServer(deps, input, context),
    authServerProblem,
  )
  bind(api, endpoints.listAdminUploads, (principal, input) => listAdminUploads(deps, principal, input))
  bind(api, endpoints.getSummary, (principal, input, context) => getSummary(deps, principal, input, context))
  bind(api, endpoints.abortUploads, (principal, input) => abortUploads(deps, principal, input))
  // Its path would else be that of an upload with the id "abort".
  refuseOtherMethods(router, [endpoints.abortUploads])
  bind(api, endpoints.getAdminUpload, (principal, input) => getAdminUpload(deps, principal, input))
  bind(api, endpoints.sweepUploads, (principal, input) => sweepUploads(deps, principal, input))
  bind(api, endpoints.listSweeps, (principal, input) => listSweeps(deps, principal, input))
  bind(api, endpoints.getTenant, (principal, input) => getTenant(deps, principal, input))
  bind(api, endpoints.updateTenant, (principal, input, context) => updateTenant(deps, principal, input, context))
  bind(api, endpoints.listEvents, (principal, input) => listEvents(deps, principal, input))
  bind(api, endpoints.listOrphans, (principal, input) => listOrphans(deps, principal, input))
  bind(api, endpoints.resolveOrphans, (principal, input, context) => resolveOrphans(deps, principal, input, context))
  bind(api, endpoints.getLifecycle, (principal) => getLifecycle(deps, principal))
  bind(api, endpoints.mergeLifecycle, (principal, _input, context) => mendLifecycle(deps, principal, context))
  bind(api, endpoints.getCors, (principal, _input, context) => getCors(deps, principal, context))
  bind(api, endpoints.getTime, async () => ({ status: 200, body: { now: deps.now().toISOString() } }))

  refuseOtherMethods(router, Object.values(endpoints))
  return router
}
