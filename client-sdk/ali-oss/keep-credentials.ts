import type { CallOptions } from '../request.ts'
import { defaultRetryPolicy } from '../retry.ts'
import { type CredentialKeeper, createCredentialKeeper, type Mortal } from '../sts/credential-keeper.ts'
import type { AccessOptions, ServerLink } from './access-options.ts'

/** Of a renewal ahead of time, which is repeated soon and must not be under way for long when the old credentials die. */
const attemptsAhead = 3

/** Credentials that `grant` gives, by the retry policy of `options`. */
export function keepCredentials<Credentials extends Mortal>(
  { signal, retry }: Pick<AccessOptions, 'signal' | 'retry'>,
  { serverClock }: Pick<ServerLink, 'serverClock'>,
  grant: (call: CallOptions) => Promise<Credentials>,
): CredentialKeeper<Credentials> {
  const policy = { ...defaultRetryPolicy, ...retry }
  const ahead = { ...policy, maxAttempts: Math.min(policy.maxAttempts, attemptsAhead) }
  return createCredentialKeeper((isUrgent) => grant({ signal, retry: isUrgent ? policy : ahead }), serverClock)
}
