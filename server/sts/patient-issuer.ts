import { setTimeout as delay } from 'node:timers/promises'
import { createCircuitBreaker } from './circuit-breaker.ts'
import {
  type CredentialIssuer,
  IssuerProblem,
  MIN_LEFT_SECONDS,
  type TemporaryCredentials,
} from './credential-issuer.ts'

export interface PatientIssuerOptions {
  issuer: CredentialIssuer
  now: () => Date
  random?: () => number
  sleep?: (milliseconds: number) => Promise<unknown>
}

const tries = 3
const firstDelayMs = 200
// After so long a caller has waited enough: no further try is begun.
const retryWithinMs = 5_000

/** `issuer`, which while it is throttled or unreachable is tried again with growing pauses, and left alone by all scopes while the circuit
 *  is open. A caller that is turned away meanwhile is told so at once, with the end of the pause. Credentials that come with less than
 *  {@link MIN_LEFT_SECONDS} to live count as a refusal: the next ones would be no better. */
export function createPatientIssuer(options: PatientIssuerOptions): CredentialIssuer {
  const { issuer, now, random = Math.random, sleep = delay } = options
  const breaker = createCircuitBreaker({ now, random })

  return {
    async assumeRole(request) {
      const startedMs = now().getTime()
      let lastError: unknown
      for (let attempt = 1; ; attempt++) {
        const pauseMs = breaker.pauseMs()
        if (pauseMs > 0) throw turnedAway(pauseMs, lastError)
        try {
          const credentials = await issuer.assumeRole(request)
          assertLasting(credentials, now())
          breaker.succeeded()
          return credentials
        } catch (error) {
          lastError = error
          const failure = error instanceof IssuerProblem ? error.failure : 'unreachable'
          if (failure === 'scope') breaker.succeeded()
          else breaker.failed(failure === 'refused')
          const isPassing = failure === 'throttled' || failure === 'unreachable'
          if (!isPassing || attempt >= tries || now().getTime() - startedMs >= retryWithinMs) throw error
          await sleep(random() * firstDelayMs * 2 ** attempt)
        }
      }
    },
    close: () => issuer.close(),
  }
}

function turnedAway(pauseMs: number, cause: unknown): IssuerProblem {
  return new IssuerProblem('unreachable', 'The security token service does not answer at present.', {
    cause,
    retryAfterSeconds: Math.max(1, Math.ceil(pauseMs / 1000)),
  })
}

function assertLasting({ expiresAt }: TemporaryCredentials, now: Date): void {
  if (expiresAt.getTime() - now.getTime() >= MIN_LEFT_SECONDS * 1000) return
  throw new IssuerProblem('refused', 'The clocks of the server and of the security token service are too far apart.')
}
