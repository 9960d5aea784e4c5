import { createPublicKey } from 'node:crypto'
import { isIP } from 'node:net'
import { MAX_OBJECT_BYTES } from '@partway/client/contract'
import { z } from 'zod'

/* The kinds of value an environment variable can hold. Messages name what is allowed and never repeat the value: it may be a secret. */

/** A whole number in decimal digits, so that neither '' nor '1e3' nor '0x10' passes. */
const whole = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^[0-9]{1,15}$/, `must be a whole number from ${minimum} to ${maximum}`)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, `must be from ${minimum} to ${maximum}`)

const flag = z.enum(['true', 'false'], 'must be true or false').transform((value) => value === 'true')

const secret = z.string().regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces')

/** Comma-separated, blanks around the items ignored. */
const itemsOf = (value: string) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
const list = z.string().transform(itemsOf)

const isHttp = (url: URL) => url.protocol === 'http:' || url.protocol === 'https:'
const isWithoutLogin = (url: URL) => url.hash === '' && url.username === '' && url.password === ''
const isBare = (url: URL) => url.search === '' && isWithoutLogin(url)

/** A base URL; its path may name a mount point. Comes out without a slash at its end. */
const baseUrl = z
  .string()
  .refine((value) => URL.canParse(value) && isHttp(new URL(value)) && isBare(new URL(value)), {
    message: 'must be an http or https URL without query, fragment or password',
  })
  .transform((value) => new URL(value).href.replace(/\/+$/, ''))

/** An endpoint of OSS or STS: scheme (https by default) and host, nothing more. */
const endpoint = z
  .string()
  .transform((value) => (value.includes('://') ? value : `https://${value}`))
  .pipe(baseUrl)
  .refine((value) => new URL(value).pathname === '/', 'must not have a path')

const host = z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/, 'must be a host name or an IP address')

const origins = list.refine(
  (items) =>
    items.every(
      (item) => !item.includes('*') && URL.canParse(item) && isHttp(new URL(item)) && new URL(item).origin === item,
    ),
  'must be exact origins such as https://app.example.com, separated by commas; no wildcard, no path',
)

const proxyRange = /^(loopback|linklocal|uniquelocal)$/
function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || rest.length > 0) return false
  return bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
}

/** How many proxies stand in front, or which addresses they have. `true` would let any caller choose its own address. */
const trustProxy = z
  .string()
  .refine(
    (value) => /^([1-9]|[12][0-9]|3[0-2])$/.test(value) || isProxyList(value),
    'must be a number of proxies from 1 to 32, or a list of addresses or CIDR ranges',
  )
  .transform((value) => (/^[0-9]+$/.test(value) ? Number(value) : itemsOf(value)))

function isProxyList(value: string): boolean {
  const items = itemsOf(value)
  return items.length > 0 && items.every((item) => isAddressRange(item) || proxyRange.test(item))
}

const keyPrefix = z
  .string()
  .regex(/^([A-Za-z0-9_-][A-Za-z0-9._-]*\/)+$/, 'must be one or more names of A-Z a-z 0-9 . _ - each followed by /')
  .max(200, 'must be at most 200 characters')

const contentTypes = list
  .transform((items) => items.map((item) => item.toLowerCase()))
  .refine((items) => items.every((item) => /^[a-z0-9!#$&^_.+-]+\/([a-z0-9!#$&^_.+-]+|\*)$/.test(item)), {
    message: 'must be media types such as video/mp4 or image/*, separated by commas',
  })

/** PEM, where a line break may be written as \n. Only public keys that jsonwebtoken can verify with. */
const publicKey = z
  .string()
  .transform((value) => value.replaceAll('\\n', '\n'))
  .refine((value) => !value.includes('PRIVATE KEY'), {
    message: 'holds a private key; only the public one belongs here',
    abort: true,
  })
  .refine(
    (value) => isUsableKey(value),
    'must be a PEM public key: RSA of at least 2048 bits, or EC P-256, P-384 or P-521',
  )

function isUsableKey(pem: string): boolean {
  try {
    const key = createPublicKey(pem)
    const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
    if (key.asymmetricKeyType === 'ec') return ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve)
    return ['rsa', 'rsa-pss'].includes(key.asymmetricKeyType ?? '') && modulusLength >= 2048
  } catch {
    return false
  }
}

const jwtSecret = secret.refine(
  (value) => !value.startsWith('-----BEGIN'),
  'holds a key in PEM form; that is JWT_PUBLIC_KEY',
)
const bucket = z.string().regex(/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/, 'must be a bucket name')
const region = z
  .string()
  .regex(/^(?!oss-)[a-z]{2,}(-[a-z0-9]+)+$/, 'must be a region such as cn-hangzhou, without oss-')
const addressing = z.enum(['virtual', 'cname', 'path'], 'must be virtual, cname or path')
const roleArn = z
  .string()
  .regex(/^acs:ram::[0-9]{1,20}:role\/[A-Za-z0-9._-]{1,64}$/, 'must be acs:ram::ACCOUNT:role/NAME')
const text = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}]{1,512}$/u, 'must be at most 512 characters, none of them a control character')
const price = z
  .string()
  .regex(/^[0-9]{1,9}(\.[0-9]{1,9})?$/, 'must be an amount such as 0.12')
  .transform(Number)

/** Where events are posted. May hold a secret in its path or query, so it is treated as one. */
const webhookUrl = z
  .string()
  .refine(
    (value) => URL.canParse(value) && isHttp(new URL(value)) && isWithoutLogin(new URL(value)),
    'must be an http or https URL without fragment or password',
  )
  .transform((value) => new URL(value).href)

/** Source: Standard Webhooks, "Signature scheme": `whsec_` and the base64 of 24 to 64 random bytes. */
const webhookSecret = z
  .string()
  .refine(isWebhookSecret, 'must be whsec_ and the base64 of 24 to 64 bytes: echo whsec_$(openssl rand -base64 32)')

function isWebhookSecret(value: string): boolean {
  const [, encoded = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(value) ?? []
  const key = Buffer.from(encoded, 'base64')
  return key.toString('base64') === encoded && key.length >= 24 && key.length <= 64
}

/** Every variable of Partway, by name. What is not set is undefined here; defaults are in config.ts, where they can depend on others. */
export const Variables = z.object({
  PARTWAY_ENV: z.enum(['development', 'production'], 'must be development or production').optional(),
  PARTWAY_DATA_DIR: text.optional(),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent'], 'must be fatal, error, warn, info, debug or silent')
    .optional(),
  PORT: whole(0, 65_535).optional(),
  HOST: host.optional(),
  PUBLIC_URL: baseUrl.optional(),
  CORS_ORIGINS: origins.optional(),
  TRUST_PROXY: trustProxy.optional(),
  METRICS_TOKEN: secret.optional(),
  WEB_PAGES: flag.optional(),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/[^\s]+$/, 'must be a postgres:// URL')
    .refine((value) => URL.canParse(value), 'must be a postgres:// URL')
    .optional(),
  OSS_BUCKET: bucket.optional(),
  OSS_REGION: region.optional(),
  OSS_ENDPOINT: endpoint.optional(),
  OSS_ADDRESSING: addressing.optional(),
  OSS_PUBLIC_ENDPOINT: endpoint.optional(),
  OSS_PUBLIC_ADDRESSING: addressing.optional(),
  STS_ROLE_ARN: roleArn.optional(),
  STS_ENDPOINT: endpoint.optional(),
  STS_TTL_SECONDS: whole(900, 43_200).optional(),
  DIRECT_PREFIX: keyPrefix.optional(),
  AUTH_URL_TTL_SECONDS: whole(60, 31_536_000).optional(),
  JWT_SECRET: jwtSecret.optional(),
  JWT_PUBLIC_KEY: publicKey.optional(),
  JWT_JWKS_URL: baseUrl.optional(),
  JWT_ISSUER: text.optional(),
  JWT_AUDIENCE: text.optional(),
  KEY_PREFIX: keyPrefix.optional(),
  MAX_FILE_BYTES: whole(1, MAX_OBJECT_BYTES).optional(),
  ALLOWED_CONTENT_TYPES: contentTypes.optional(),
  CALLBACK_ALLOWED_ORIGINS: origins.optional(),
  GRANT_TTL_SECONDS: whole(60, 604_800).optional(),
  SIGN_CONTENT_LENGTH: flag.optional(),
  FORBID_OVERWRITE: flag.optional(),
  STALE_AFTER_SECONDS: whole(1, 31_536_000).optional(),
  UPLOAD_TTL_SECONDS: whole(1, 31_536_000).optional(),
  SWEEP_INTERVAL_SECONDS: whole(1, 86_400).optional(),
  PRICE_PER_GB_MONTH: price.optional(),
  QUOTA_OPEN_UPLOADS: whole(0, 1_000_000_000).optional(),
  QUOTA_BYTES_IN_FLIGHT: whole(0, 999_999_999_999_999).optional(),
  QUOTA_CREATES_PER_MINUTE: whole(0, 1_000_000).optional(),
  WEBHOOK_URL: webhookUrl.optional(),
  WEBHOOK_SECRET: webhookSecret.optional(),
  WEBHOOK_ALLOW_PRIVATE: flag.optional(),
  LOCAL_OSS_PORT: whole(1, 65_535).optional(),
  LOCAL_STS_PORT: whole(1, 65_535).optional(),
  LOCAL_HOST: host.optional(),
  LOCAL_PUBLIC_HOST: host.optional(),
  LOCAL_ACCESS_KEY_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,128}$/, 'must be 1 to 128 of A-Z a-z 0-9 . _ -')
    .optional(),
  LOCAL_ACCESS_KEY_SECRET: secret.optional(),
})
export type Variables = z.output<typeof Variables>
export type VariableName = keyof Variables
