import type { VariableName, Variables } from './variables.ts'

export type Complaint = { variable: VariableName; detail: string }

const MIN_SECRET_BYTES = 32
const jwtVariables = ['JWT_SECRET', 'JWT_PUBLIC_KEY', 'JWT_JWKS_URL'] as const
const liveOnly = [
  'OSS_ENDPOINT',
  'OSS_ADDRESSING',
  'OSS_PUBLIC_ENDPOINT',
  'OSS_PUBLIC_ADDRESSING',
  'STS_ENDPOINT',
] as const

/**
 * What must hold between variables. Pure. A variable that is wrong by itself is undefined in `values` and named in `wrong`:
 * it was complained about already, so no rule treats it as unset.
 */
export function checkRelations(values: Partial<Variables>, wrong: ReadonlySet<string>): Complaint[] {
  const isUnset = (name: VariableName) => values[name] === undefined && !wrong.has(name)
  const complaints: Complaint[] = []
  const complain = (variable: VariableName, detail: string) => complaints.push({ variable, detail })

  const keys = jwtVariables.filter((name) => !isUnset(name))
  for (const name of keys.slice(1)) complain(name, `cannot be set together with ${keys[0]}`)

  if (isUnset('OSS_BUCKET')) {
    for (const name of liveOnly) if (!isUnset(name)) complain(name, 'means nothing without OSS_BUCKET')
  } else if (keys.length === 0) {
    complain('JWT_SECRET', 'is missing: set it, JWT_PUBLIC_KEY or JWT_JWKS_URL')
  }

  const stale = values.STALE_AFTER_SECONDS ?? defaultSeconds.staleAfter
  const ttl = values.UPLOAD_TTL_SECONDS ?? defaultSeconds.uploadTtl
  const grant = values.GRANT_TTL_SECONDS ?? defaultSeconds.grantTtl
  if (!wrong.has('UPLOAD_TTL_SECONDS')) {
    if (!wrong.has('STALE_AFTER_SECONDS') && stale > ttl) {
      complain('STALE_AFTER_SECONDS', `must not be more than UPLOAD_TTL_SECONDS (${ttl})`)
    }
    if (!wrong.has('GRANT_TTL_SECONDS') && grant > ttl) {
      complain('GRANT_TTL_SECONDS', `must not be more than UPLOAD_TTL_SECONDS (${ttl})`)
    }
  }

  const keyPrefix = values.KEY_PREFIX ?? defaultPrefixes.key
  const directPrefix = values.DIRECT_PREFIX ?? defaultPrefixes.direct
  const isNested = keyPrefix.startsWith(directPrefix) || directPrefix.startsWith(keyPrefix)
  if (isNested && !wrong.has('KEY_PREFIX') && !wrong.has('DIRECT_PREFIX')) {
    // Whoever uploads directly could otherwise write among the objects Partway answers for.
    complain('DIRECT_PREFIX', `must lie outside of KEY_PREFIX (${keyPrefix})`)
  }

  if (!isUnset('WEBHOOK_URL') && isUnset('WEBHOOK_SECRET')) {
    // A receiver that cannot tell whose events they are has to believe anybody.
    complain('WEBHOOK_SECRET', 'is missing: it signs what is sent to WEBHOOK_URL')
  }

  if (isUnset('OSS_BUCKET')) complainOfSharedPorts(values, wrong, complain)
  if (values.PARTWAY_ENV === 'production') complainOfProduction(values, isUnset, complain)
  return complaints
}

/** Defaults that take part in a rule. */
export const defaultSeconds = { staleAfter: 86_400, uploadTtl: 604_800, grantTtl: 900 } as const
export const defaultPrefixes = { key: 'uploads/', direct: 'direct/' } as const
export const defaultPorts = { http: 3000, localOss: 9000, localSts: 9001 } as const

type Complain = (variable: VariableName, detail: string) => void

function complainOfSharedPorts(values: Partial<Variables>, wrong: ReadonlySet<string>, complain: Complain): void {
  const ports = [
    ['PORT', values.PORT ?? defaultPorts.http],
    ['LOCAL_OSS_PORT', values.LOCAL_OSS_PORT ?? defaultPorts.localOss],
    ['LOCAL_STS_PORT', values.LOCAL_STS_PORT ?? defaultPorts.localSts],
  ] as const
  const taken = new Map<number, VariableName>()
  for (const [name, port] of ports) {
    const other = taken.get(port)
    if (other && !wrong.has(name) && !wrong.has(other)) complain(name, `must not be ${port} as well: that is ${other}`)
    if (port !== 0) taken.set(port, name)
  }
}

/** A production server neither makes up what should be configured nor accepts secrets that could be guessed. */
function complainOfProduction(
  values: Partial<Variables>,
  isUnset: (name: VariableName) => boolean,
  complain: Complain,
): void {
  if (isUnset('DATABASE_URL')) complain('DATABASE_URL', 'is missing: production has no embedded Postgres')
  if (isUnset('OSS_BUCKET')) {
    complain('OSS_BUCKET', 'is missing: production has no local cloud')
    if (jwtVariables.every(isUnset)) complain('JWT_SECRET', 'is missing: set it, JWT_PUBLIC_KEY or JWT_JWKS_URL')
  }
  for (const name of ['JWT_SECRET', 'METRICS_TOKEN'] as const) {
    const value = values[name]
    if (value !== undefined && Buffer.byteLength(value) < MIN_SECRET_BYTES) {
      complain(name, `must have at least ${MIN_SECRET_BYTES} bytes in production`)
    }
  }
  // Keys that are believed, and credentials that are handed out, come from there; names of files and people go there.
  for (const name of ['JWT_JWKS_URL', 'STS_ENDPOINT', 'WEBHOOK_URL'] as const) {
    if (values[name]?.startsWith('http:')) complain(name, 'must be https in production')
  }
}
