import { Problem } from '../problem.ts'

/** Says no more than that: why a forged token failed is nobody's business but the log's. */
export function invalidToken(cause?: unknown): Problem {
  return new Problem('unauthenticated', 'The bearer token is not valid.', { cause })
}
