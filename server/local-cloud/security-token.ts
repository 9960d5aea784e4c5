import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'

/** What an assumed role's token carries. Nothing about it is kept anywhere else, so it outlives a restart. */
export interface Session {
  readonly accessKeyId: string
  readonly roleArn: string
  readonly sessionName: string
  /** JSON text of the session policy, or null when the session has all the role's rights. */
  readonly policy: string | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface SecurityTokens {
  /** Mints a key id, its secret and the token that belongs to them. */
  issue(session: Omit<Session, 'accessKeyId'>): { accessKeyId: string; accessKeySecret: string; securityToken: string }
  /** The session in a token, expired or not; null when this cloud did not make it. */
  open(securityToken: string): Session | null
  /** The secret of a temporary key id; null when this cloud did not make the id. */
  secretOf(accessKeyId: string): string | null
}

const PREFIX = 'CAIS'
/** So that secrets of the stand-in are known for what they are wherever they turn up. */
const SECRET_PREFIX = 'PartwayLocalSts'

/** Temporary credentials without a table: key ids carry a check, secrets are derived, tokens are sealed (AES-256-GCM), all under
 *  `masterKey` (32 bytes, kept in the data directory). */
export function createSecurityTokens(masterKey: Buffer): SecurityTokens {
  const derive = (purpose: string, text = '') => createHmac('sha256', masterKey).update(`${purpose}\n${text}`).digest()
  const sealKey = derive('token')
  const checkOf = (id: string) => letters(derive('id', id).subarray(0, 9))
  const secretFor = (accessKeyId: string) => SECRET_PREFIX + letters(derive('secret', accessKeyId))

  const secretOf = (accessKeyId: string) => {
    const match = /^STS\.([A-Za-z0-9]{12})([A-Za-z0-9]{12})$/.exec(accessKeyId)
    return match && checkOf(match[1] ?? '') === match[2] ? secretFor(accessKeyId) : null
  }
  return {
    secretOf,
    issue(rest) {
      const id = letters(randomBytes(9))
      const accessKeyId = `STS.${id}${checkOf(id)}`
      const session: Session = { accessKeyId, ...rest }
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', sealKey, iv)
      const sealed = Buffer.concat([cipher.update(deflateRawSync(JSON.stringify(session))), cipher.final()])
      const securityToken = PREFIX + Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')
      return { accessKeyId, accessKeySecret: secretFor(accessKeyId), securityToken }
    },
    open(securityToken) {
      const bytes = Buffer.from(securityToken.slice(PREFIX.length), 'base64')
      // One text per token: base64 decoding would forgive stray characters.
      if (securityToken !== PREFIX + bytes.toString('base64') || bytes.length < 29) return null
      try {
        const cipher = createDecipheriv('aes-256-gcm', sealKey, bytes.subarray(0, 12)).setAuthTag(
          bytes.subarray(12, 28),
        )
        const opened = Buffer.concat([cipher.update(bytes.subarray(28)), cipher.final()])
        return JSON.parse(inflateRawSync(opened, { maxOutputLength: 65_536 }).toString()) as Session
      } catch {
        return null
      }
    },
  }
}

/** Base64 without the two characters that would need escaping in ids; the length depends only on the input's. */
function letters(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('+', 'A').replaceAll('/', 'B').replaceAll('=', '')
}
