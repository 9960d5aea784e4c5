import type { Deps } from '../deps.ts'
import { Problem } from '../problem.ts'

const CHECK_TIMEOUT_MS = 3_000
/** /readyz is open to everybody: answers are shared this long, so that asking it often does not ask OSS often. */
const SHARED_MS = 1_000

export interface Readiness {
  checks: { database: 'ok' | 'down'; storage: 'ok' | 'down' }
  /** Why the first thing that is down is down. */
  failure: unknown
}

/** A function that asks database and object storage, both at once and in bounded time. Calls close together share one answer. */
export function createReadiness(deps: Pick<Deps, 'db' | 'objects'>): () => Promise<Readiness> {
  let latest: { askedAt: number; answer: Promise<Readiness> } | undefined
  return () => {
    const now = performance.now()
    if (!latest || now - latest.askedAt > SHARED_MS) latest = { askedAt: now, answer: ask(deps) }
    return latest.answer
  }
}

async function ask({ db, objects }: Pick<Deps, 'db' | 'objects'>): Promise<Readiness> {
  const [database, storage] = await Promise.allSettled([
    within(CHECK_TIMEOUT_MS, db.ping(), 'database-unavailable'),
    within(CHECK_TIMEOUT_MS, objects.ping(), 'storage-unavailable'),
  ])
  const failed = [database, storage].find((result) => result.status === 'rejected')
  return {
    checks: {
      database: database.status === 'fulfilled' ? 'ok' : 'down',
      storage: storage.status === 'fulfilled' ? 'ok' : 'down',
    },
    failure: failed?.reason,
  }
}

async function within(
  timeoutMs: number,
  asked: Promise<unknown>,
  code: 'database-unavailable' | 'storage-unavailable',
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Problem(code, `No answer within ${timeoutMs / 1000} s.`)), timeoutMs)
  })
  try {
    await Promise.race([asked, late])
  } catch (cause) {
    throw cause instanceof Problem ? cause : new Problem(code, undefined, { cause })
  } finally {
    clearTimeout(timer)
  }
}
