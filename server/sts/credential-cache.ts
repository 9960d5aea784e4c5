import {
  type AssumeRoleRequest,
  type CredentialIssuer,
  IssuerProblem,
  MIN_LEFT_SECONDS,
  type TemporaryCredentials,
} from './credential-issuer.ts'

export interface CredentialCacheOptions {
  issuer: CredentialIssuer
  now: () => Date
  /** How many scopes are remembered, the least recently asked for going first. Default 10,000, some 20 MB. */
  maxEntries?: number
  random?: () => number
  /** Told when credentials could not be renewed ahead of time: nobody has been turned away yet. */
  onRenewalFailure?: (error: unknown) => void
}

interface Entry {
  credentials: TemporaryCredentials
  /** Until then they may be handed out. */
  usableUntilMs: number
  /** From then on the next caller has them renewed, and is given these meanwhile. */
  renewAtMs: number
}

// Between renewals that fail, where the failure names no other time.
const renewalPauseSeconds = 5

/**
 * AssumeRole may be called 100 times per second and account. This remembers credentials per exact request, as long as they have
 * {@link MIN_LEFT_SECONDS} to live, and asks once however many callers want the same. They are renewed ahead of time, at a moment drawn
 * by lot between 50 % and 90 % of the time they can be handed out, so that scopes begun together do not come due together; when that
 * fails, the old ones are handed out on. Memory is bounded by `maxEntries`; nothing here is needed by another instance.
 */
export function createCredentialCache(options: CredentialCacheOptions): CredentialIssuer {
  const { issuer, now, maxEntries = 10_000, random = Math.random } = options
  // In the order in which they were last asked for.
  const entries = new Map<string, Entry>()
  const flights = new Map<string, Promise<TemporaryCredentials>>()

  function remember(key: string, credentials: TemporaryCredentials, deadAtMs: number): void {
    const nowMs = now().getTime()
    const usableUntilMs = deadAtMs - MIN_LEFT_SECONDS * 1000
    entries.delete(key)
    entries.set(key, {
      credentials,
      usableUntilMs,
      renewAtMs: nowMs + (usableUntilMs - nowMs) * (0.5 + 0.4 * random()),
    })
    for (const oldest of entries.keys()) {
      if (entries.size <= maxEntries) break
      entries.delete(oldest)
    }
  }

  function fly(key: string, request: AssumeRoleRequest): Promise<TemporaryCredentials> {
    const underWay = flights.get(key)
    if (underWay !== undefined) return underWay
    const askedAtMs = now().getTime()
    const flight = issuer
      .assumeRole(request)
      .then((credentials) => {
        // By our own clock, too: where that one is behind, their end seems further away than it is.
        const deadAtMs = Math.min(credentials.expiresAt.getTime(), askedAtMs + request.ttlSeconds * 1000)
        remember(key, credentials, deadAtMs)
        return Object.freeze(credentials)
      })
      .finally(() => flights.delete(key))
    flights.set(key, flight)
    return flight
  }

  /** Nobody waits for it, and after a failure nobody causes another one at once. */
  async function renew(key: string, request: AssumeRoleRequest, entry: Entry): Promise<void> {
    try {
      await fly(key, request)
    } catch (error) {
      const seconds = (error instanceof IssuerProblem ? error.retryAfterSeconds : undefined) ?? renewalPauseSeconds
      entry.renewAtMs = now().getTime() + seconds * 1000
      options.onRenewalFailure?.(error)
    }
  }

  return {
    async assumeRole(request) {
      const key = JSON.stringify([request.sessionName, request.policy, request.ttlSeconds])
      const entry = entries.get(key)
      if (!entry) return fly(key, request)
      entries.delete(key)
      const nowMs = now().getTime()
      if (nowMs > entry.usableUntilMs) return fly(key, request)
      entries.set(key, entry)
      if (nowMs >= entry.renewAtMs && !flights.has(key)) void renew(key, request, entry)
      return entry.credentials
    },
    close: () => issuer.close(),
  }
}
