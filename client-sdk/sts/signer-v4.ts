import { stringToSignV4 } from '../contract/canonical-v4.ts'
import { ClientException } from '../errors.ts'

/** Signs requests to OSS with one secret, for as long as it lives. */
export interface SignerV4 {
  /** The hex signature of a canonical request. `timestamp` as `timestampV4` prints it. */
  sign(canonicalRequest: string, timestamp: string): Promise<string>
}

const text = new TextEncoder()
const hmac = { name: 'HMAC', hash: 'SHA-256' }

/** Throws ClientException `invalid-argument` where there is no Web Crypto. */
export function assertWebCrypto(): void {
  // Browsers take it away from pages over plain HTTP, localhost excepted.
  if (globalThis.crypto?.subtle) return
  throw new ClientException('invalid-argument', "mode 'sts' needs Web Crypto, which pages have only over HTTPS")
}

/**
 * A signer by Web Crypto. The key of a day takes five HMACs and serves all requests of that day. `region` carries no `oss-`.
 * Source: OSS "Include a V4 signature in a URL"; known answers in test/unit/sdk-signer-v4.test.ts.
 */
export function createSignerV4(accessKeySecret: string, region: string): SignerV4 {
  const days = new Map<string, Promise<CryptoKey>>()

  function keyOf(day: string): Promise<CryptoKey> {
    let key = days.get(day)
    if (!key) {
      // At midnight requests of two days may be under way; before that, one key is all there is.
      if (days.size > 1) days.clear()
      key = signingKey(accessKeySecret, day, region)
      days.set(day, key)
    }
    return key
  }

  return {
    async sign(canonicalRequest, timestamp) {
      const requestHash = hex(await crypto.subtle.digest('SHA-256', text.encode(canonicalRequest)))
      const signed = text.encode(stringToSignV4(timestamp, region, requestHash))
      return hex(await crypto.subtle.sign(hmac.name, await keyOf(timestamp.slice(0, 8)), signed))
    },
  }
}

/** The last of the chain secret → day → region → product → request. */
async function signingKey(secret: string, day: string, region: string): Promise<CryptoKey> {
  let key = await importKey(text.encode(`aliyun_v4${secret}`))
  for (const step of [day, region, 'oss', 'aliyun_v4_request']) {
    key = await importKey(await crypto.subtle.sign(hmac.name, key, text.encode(step)))
  }
  return key
}

function importKey(bytes: BufferSource): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', bytes, hmac, false, ['sign'])
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
