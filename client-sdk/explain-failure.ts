import type { ClientException } from './errors.ts'

/**
 * Finds out why no answer came where the platform hides it: a browser says the same for a cut line, an answer without CORS headers and a
 * forbidden destination. Resolves with `cors-blocked` or `csp-blocked`, or undefined when it may be the network after all. Must not
 * throw but the signal's reason, and must not change anything where it asks.
 */
export type ExplainFailure = (
  url: string,
  of: 'oss' | 'server',
  signal?: AbortSignal,
) => Promise<ClientException | undefined>
