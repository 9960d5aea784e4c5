import type { Deps } from '../deps.ts'
import { createCallbackKeys } from '../oss/callback-keys.ts'
import { isSignedByOss } from '../oss/callback-signature.ts'

/** What a callback shows to prove that OSS sent it. */
export interface CallbackProof {
  /** `x-oss-pub-key-url`, decoded. */
  keyUrl: string
  /** `authorization`, in base64. */
  signature: string
  /** The request target as OSS may have been told it: proxies change paths. One must match. */
  targets: readonly string[]
}

/** Tells callbacks that OSS sent from all others. Fetches the vendor's key when it has none that is fresh. */
export type VerifyCallback = (proof: CallbackProof, body: Uint8Array) => Promise<boolean>

/** Throws `credentials-unavailable` when the key cannot be had. */
export function createCallbackVerifier({ config, now }: Pick<Deps, 'config' | 'now'>): VerifyCallback {
  const keys = createCallbackKeys({ now, local: config.localCloud ? config.oss : null })
  return async ({ keyUrl, signature, targets }, body) => {
    if (keyUrl === '' || signature === '') return false
    const key = await keys.find(keyUrl)
    return key !== null && targets.some((target) => isSignedByOss({ target, body, signature }, key))
  }
}
