import type { UploadCallback } from '@partway/client/contract'
import { Problem } from '../problem.ts'

/**
 * Throws `invalid-request` unless the operator allows a callback there. The Host header is held to the same list: one address may serve
 * sites that nobody meant to open.
 */
export function assertCallbackAllowed(allowedOrigins: readonly string[], callback: UploadCallback | undefined): void {
  if (!callback) return
  if (allowedOrigins.length === 0) throw refused('url', 'this server allows no callbacks')
  const { origin } = new URL(callback.url)
  if (!allowedOrigins.includes(origin)) throw refused('url', 'is of no origin that this server allows')
  const hosts = allowedOrigins.map((allowed) => new URL(allowed).host)
  if (callback.host !== undefined && !hosts.includes(callback.host.toLowerCase())) {
    throw refused('host', 'is of no origin that this server allows')
  }
}

function refused(field: string, detail: string): Problem {
  return new Problem('invalid-request', undefined, { errors: [{ detail, pointer: `/body/callback/${field}` }] })
}
