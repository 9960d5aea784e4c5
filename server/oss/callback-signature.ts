import { createVerify, type KeyObject } from 'node:crypto'

/** A callback as it arrived. */
export interface SignedCallback {
  /** As OSS was told it: from the first slash, still percent-encoded, with its query. */
  target: string
  /** Exactly the bytes that came. */
  body: Uint8Array
  /** The `authorization` header: base64. */
  signature: string
}

/**
 * Whether OSS signed this: RSA PKCS #1 v1.5 over MD5 of the decoded path, the query as it stands, a line break and the body. Pure.
 * It says that *an* OSS bucket sent it, not whose: anybody can have OSS sign anything. Source: OSS API reference, "Callback".
 */
export function isSignedByOss({ target, body, signature }: SignedCallback, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64')
  const text = signedTarget(target)
  if (bytes.length === 0 || text === null) return false
  return createVerify('RSA-MD5').update(`${text}\n`).update(body).verify(key, bytes)
}

function signedTarget(target: string): string | null {
  const queryAt = target.indexOf('?')
  const path = queryAt < 0 ? target : target.slice(0, queryAt)
  try {
    return `${decodeURIComponent(path)}${target.slice(path.length)}`
  } catch {
    return null
  }
}
