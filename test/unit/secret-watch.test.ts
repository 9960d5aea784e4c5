import { afterEach, describe, expect, it } from 'vitest'
import { mintDevToken } from '../../server/dev-token.ts'
import { createSecurityTokens } from '../../server/local-cloud/security-token.ts'
import { presignV4 } from '../../server/oss/sign-v4.ts'
import { assertNoLeak, learn, protect, protectVariables, type SecretKind, watch } from '../support/secret-watch.ts'

/* The watch over all other tests: what it would not find, they would not either. */

const vended = createSecurityTokens(Buffer.alloc(32, 7)).issue({
  roleArn: 'acs:ram::1:role/x',
  sessionName: 'a@b',
  policy: null,
  expiresAt: 0,
})
const token = mintDevToken({ secret: 'x'.repeat(32) }, { subject: 'alice', scopes: ['uploads'], ttlSeconds: 60 })
const url = presignV4({
  method: 'PUT',
  baseUrl: 'https://oss-cn-hangzhou.aliyuncs.com',
  addressing: 'virtual',
  bucket: 'my-bucket',
  key: 'uploads/a',
  region: 'cn-hangzhou',
  credentials: vended,
  now: new Date(0),
  expiresSeconds: 60,
})
const signature = /x-oss-signature=([0-9a-f]{64})/.exec(url)?.[1] ?? ''
const authToken = `${'Z_-'.repeat(14)}q`

/** What the watch says of `text`, or null. */
function verdictOn(text: string, allowed?: SecretKind[]): string | null {
  watch('the log', text, allowed)
  try {
    assertNoLeak()
    return null
  } catch (error) {
    return String(error)
  }
}

afterEach(() => assertNoLeak())

describe('the watch for secrets', () => {
  it.each<[string, string, SecretKind]>([
    ['a bearer token', `Bearer ${'a1'.repeat(20)}`, 'token'],
    ['a JWT by itself', token, 'token'],
    ['a presigned URL', url, 'signature'],
    ['a presigned URL inside another', encodeURIComponent(url), 'signature'],
    [
      'a V4 Authorization',
      'OSS4-HMAC-SHA256 Credential=LTAI/20260101/cn/oss/aliyun_v4_request,Signature=0',
      'signature',
    ],
    ['a V1 URL', `https://b/x?OSSAccessKeyId=i&Signature=${'aB%2B'.repeat(6)}`, 'signature'],
    ['a vended secret', vended.accessKeySecret, 'vended'],
    ['a vended key id', vended.accessKeyId, 'vended'],
    ['a security token', vended.securityToken, 'vended'],
    ['a security token as a query writes it', encodeURIComponent(vended.securityToken), 'vended'],
    ['an auth URL', `/v1/compat/auth-server?token=${authToken}`, 'auth-url'],
  ])('finds %s, in the middle of a line, unless the place is there to show it', (_, secret, kind) => {
    for (const text of [secret, `{"a":"${secret}"}`, `x y ${secret} z`]) {
      expect(verdictOn(text)).toContain(`${kind} in the log`)
      expect(verdictOn(text)).not.toContain(secret)
      expect(verdictOn(text, ['token', 'signature', 'vended', 'auth-url'])).toBeNull()
    }
  })

  it('finds what it was told, and says where without showing it', () => {
    protect('a-configured-canary')
    const verdict = verdictOn('before xa-configured-canaryx after')
    expect(verdict).toContain('configured in the log: before xa-conf…x after')
    protectVariables({
      METRICS_TOKEN: 'a-metrics-canary',
      DATABASE_URL: 'postgres://u:data%2Fbase-canary@h/d',
      PORT: '300000000000',
    })
    for (const secret of ['a-metrics-canary', 'data/base-canary']) expect(verdictOn(secret)).toContain('configured')
    expect(verdictOn('300000000000')).toBeNull()
  })

  it('finds a signature or a token that was handed out before, wherever it stands by itself', () => {
    expect(verdictOn(`${signature} ${authToken}`)).toBeNull()
    learn(JSON.stringify({ url, auth: `https://h/v1/compat/auth-server?token=${authToken}` }))
    expect(verdictOn(`row (1,${signature},x)`)).toContain('signature in the log')
    expect(verdictOn(`"${authToken}"`)).toContain('auth-url in the log')
    expect(verdictOn(`"${authToken}"`, ['auth-url'])).toBeNull()
  })

  it('finds nothing in what servers say every day', () => {
    const everyDay = [
      `{"level":30,"req":{"path":"/v1/uploads/upl_${'0f'.repeat(16)}"},"msg":"answered"}`,
      'A bearer token is needed in the Authorization header.',
      'Bearer [redacted]',
      'x-oss-signature=[redacted]&x-oss-credential=[redacted]',
      `(a@b,${'0a'.repeat(32)},5C3D9175B6FC201293AD4890)`,
      'acs:ram::1000000000000000:role/partway-uploader',
    ]
    for (const text of everyDay) expect([text, verdictOn(text)]).toEqual([text, null])
  })
})
