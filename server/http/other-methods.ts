import type { Endpoint } from '@partway/client/contract'
import type { Router } from 'express'
import { Problem } from '../problem.ts'
import { routePath } from './bind.ts'

/** Answers, on the paths of `endpoints`, every method that no endpoint has: OPTIONS with what there is, others with 405. Comes after them. */
export function refuseOtherMethods(router: Router, endpoints: readonly Pick<Endpoint, 'method' | 'path'>[]): void {
  for (const path of new Set(endpoints.map(routePath))) {
    const methods = new Set<string>(endpoints.filter((other) => routePath(other) === path).map(({ method }) => method))
    if (methods.has('GET')) methods.add('HEAD')
    const allow = [...methods, 'OPTIONS'].join(', ')
    router.all(path, (request, response) => {
      response.set('Allow', allow)
      if (request.method === 'OPTIONS') response.status(204).end()
      else throw new Problem('method-not-allowed')
    })
  }
}
