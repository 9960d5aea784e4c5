import type { Cors } from '@partway/client/contract'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import { askCors, corsComplaint, pageOrigins } from '../oss/cors-preflight.ts'
import type { Principal } from '../principal.ts'
import { assertOperator } from './admin-reach.ts'
import { mapInParallel } from './map-in-parallel.ts'

const workers = 4

type Verdict = Cors['verdicts'][number]

/**
 * Whether the bucket lets the pages that upload do so: this server's own, and those of CORS_ORIGINS. It is asked from here, at the public
 * endpoint, what browsers will ask; an origin about which it gives no answer is `unknown`. Throws `forbidden`.
 */
export async function getCors(
  deps: Pick<Deps, 'config' | 'log'>,
  principal: Principal,
  { reachedAt }: Pick<RequestContext, 'reachedAt'>,
): Promise<Answer<Cors>> {
  assertOperator(principal)
  const { http, localCloud } = deps.config
  // Elsewhere than on the developer's machine, the host is what the caller says.
  const ownUrl = http.publicUrl ?? (localCloud ? reachedAt : null)
  const verdicts = await mapInParallel(pageOrigins(deps.config, ownUrl), workers, (origin) => judge(deps, origin))
  return { status: 200, body: { verdicts } }
}

async function judge({ config, log }: Pick<Deps, 'config' | 'log'>, origin: string): Promise<Verdict> {
  try {
    const answer = await askCors(config, origin)
    return { origin, verdict: answer.isAllowed ? 'allowed' : 'refused', complaint: corsComplaint(answer) }
  } catch (error) {
    log.warn({ err: error, origin }, 'the bucket could not be asked about CORS')
    return { origin, verdict: 'unknown', complaint: 'The public endpoint of the bucket cannot be reached from here.' }
  }
}
