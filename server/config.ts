import { resolve } from 'node:path'
import type { TenantLimits } from '@partway/client/contract'
import { checkRelations, defaultPorts, defaultPrefixes, defaultSeconds } from './config-rules.ts'
import { LOCAL_ROLE_ARN } from './local-identities.ts'
import { type LocalCloudConfig, liveOss, localCloudOf, localOss, type OssConfig, urlTo } from './oss-config.ts'
import { Variables } from './variables.ts'

/** How bearer tokens are verified. Which member it is decides the algorithms; the token never does. */
export type JwtKey =
  | { kind: 'secret'; secret: string }
  | { kind: 'public-key'; pem: string }
  | { kind: 'jwks'; url: string }

/** Where events are told. */
export interface WebhookConfig {
  /** Secret as a whole: tokens stand in the paths and queries of such URLs. */
  url: string
  /** `whsec_…`, as Standard Webhooks has it. */
  secret: string
  /** Whether the URL may lead to addresses that are not public. */
  allowPrivate: boolean
}

/** Everything the environment decides, checked and frozen. Holds secrets: never log it whole. */
export interface Config {
  environment: 'development' | 'production'
  /** Absolute. Where local mode keeps its database, objects and secrets. */
  dataDir: string
  logLevel: string
  webPages: boolean
  http: {
    host: string
    /** 0: any free port. */
    port: number
    /** How callers reach the server, without a slash at its end; null: by host and port. */
    publicUrl: string | null
    corsOrigins: readonly string[]
    /** A number of proxies, or their addresses; null: no proxy, the peer's address is the caller's. */
    trustProxy: number | readonly string[] | null
    metricsToken: string | null
  }
  /** Null: embedded Postgres, started by `partway serve`. */
  database: { url: string | null }
  oss: OssConfig
  sts: {
    /** Null: no credentials are vended. */
    roleArn: string | null
    endpoint: string
    ttlSeconds: number
    /** Ends in a slash; nothing of it is below `uploads.keyPrefix`, or the other way round. */
    directPrefix: string
    authUrlTtlSeconds: number
  }
  /** `key` null: local mode without JWT_*; `partway serve` fills in the secret of the data directory. */
  jwt: { key: JwtKey | null; issuer: string | null; audience: string | null }
  uploads: {
    /** Ends in a slash. */
    keyPrefix: string
    /** Null: no limit beyond OSS's. */
    maxFileBytes: number | null
    /** Lower-case media types, `image/*` for a family; null: all. */
    allowedContentTypes: readonly string[] | null
    /** Where callers may have OSS send callbacks; none: nowhere. */
    callbackAllowedOrigins: readonly string[]
    grantTtlSeconds: number
    signContentLength: boolean
    forbidOverwrite: boolean
    staleAfterSeconds: number
    ttlSeconds: number
    sweepIntervalSeconds: number
    pricePerGbMonth: number | null
    /** What each tenant may have at once, unless it has a limit of its own. Null: no limit. */
    quotas: TenantLimits
  }
  /** Null: events are told to nobody. */
  webhook: WebhookConfig | null
  /** The stand-in for OSS and STS; null when OSS_BUCKET names a real bucket. */
  localCloud: LocalCloudConfig | null
}

/** What the CLI's client commands need to find a server. */
export interface CliConfig {
  url: string | null
  token: string | null
  dataDir: string
  jwtSecret: string | null
}

/** The environment is not usable. `message` lists every bad variable by name, and no value. */
export class ConfigError extends Error {
  readonly problems: readonly { variable: string; detail: string }[]

  constructor(problems: readonly { variable: string; detail: string }[]) {
    super(['The configuration is not usable:', ...problems.map((p) => `  ${p.variable} ${p.detail}`)].join('\n'))
    this.name = 'ConfigError'
    this.problems = problems
  }
}

export type Environment = Readonly<Record<string, string | undefined>>

/** Reads every variable of `environment`; an empty one counts as unset. Throws ConfigError. */
export function loadConfig(environment: Environment = process.env): Config {
  const variables = read(environment)
  const bucket = variables.OSS_BUCKET
  const isLocal = bucket === undefined
  const region = variables.OSS_REGION ?? 'cn-hangzhou'
  const localCloud = isLocal ? localCloudOf(variables) : null
  return deepFreeze({
    environment: variables.PARTWAY_ENV ?? 'development',
    dataDir: resolve(variables.PARTWAY_DATA_DIR ?? '.partway'),
    logLevel: variables.LOG_LEVEL ?? (isLocal ? 'warn' : 'info'),
    webPages: variables.WEB_PAGES ?? true,
    http: {
      host: variables.HOST ?? (isLocal ? '127.0.0.1' : '0.0.0.0'),
      port: variables.PORT ?? defaultPorts.http,
      publicUrl: variables.PUBLIC_URL ?? null,
      corsOrigins: variables.CORS_ORIGINS ?? [],
      trustProxy: variables.TRUST_PROXY ?? null,
      metricsToken: variables.METRICS_TOKEN ?? null,
    },
    database: { url: variables.DATABASE_URL ?? null },
    oss: isLocal ? localOss(variables, region) : liveOss(variables, bucket, region),
    sts: {
      roleArn: variables.STS_ROLE_ARN ?? (isLocal ? LOCAL_ROLE_ARN : null),
      endpoint:
        variables.STS_ENDPOINT ??
        (localCloud ? urlTo(localCloud.host, localCloud.stsPort) : `https://sts.${region}.aliyuncs.com`),
      ttlSeconds: variables.STS_TTL_SECONDS ?? 900,
      directPrefix: variables.DIRECT_PREFIX ?? defaultPrefixes.direct,
      authUrlTtlSeconds: variables.AUTH_URL_TTL_SECONDS ?? 86_400,
    },
    jwt: {
      key: jwtKeyOf(variables),
      issuer: variables.JWT_ISSUER ?? null,
      audience: variables.JWT_AUDIENCE ?? null,
    },
    uploads: {
      keyPrefix: variables.KEY_PREFIX ?? defaultPrefixes.key,
      maxFileBytes: variables.MAX_FILE_BYTES ?? null,
      allowedContentTypes: variables.ALLOWED_CONTENT_TYPES ?? null,
      callbackAllowedOrigins: variables.CALLBACK_ALLOWED_ORIGINS ?? [],
      grantTtlSeconds: variables.GRANT_TTL_SECONDS ?? defaultSeconds.grantTtl,
      signContentLength: variables.SIGN_CONTENT_LENGTH ?? true,
      forbidOverwrite: variables.FORBID_OVERWRITE ?? true,
      staleAfterSeconds: variables.STALE_AFTER_SECONDS ?? defaultSeconds.staleAfter,
      ttlSeconds: variables.UPLOAD_TTL_SECONDS ?? defaultSeconds.uploadTtl,
      sweepIntervalSeconds: variables.SWEEP_INTERVAL_SECONDS ?? 900,
      pricePerGbMonth: variables.PRICE_PER_GB_MONTH ?? null,
      quotas: {
        maxOpenUploads: variables.QUOTA_OPEN_UPLOADS ?? null,
        maxBytesInFlight: variables.QUOTA_BYTES_IN_FLIGHT ?? null,
        maxCreatesPerMinute: variables.QUOTA_CREATES_PER_MINUTE ?? null,
      },
    },
    webhook: webhookOf(variables),
    localCloud,
  })
}

/** Reads what the CLI's client commands need; the variables of a server may be wrong meanwhile. Throws ConfigError. */
export function loadCliConfig(environment: Environment = process.env): CliConfig {
  const url = environment.PARTWAY_URL || null
  if (url !== null && !/^https?:\/\/[^\s?#]+$/.test(url)) {
    throw new ConfigError([
      { variable: 'PARTWAY_URL', detail: 'must be an http or https URL without query or fragment' },
    ])
  }
  return Object.freeze({
    url: url?.replace(/\/+$/, '') ?? null,
    token: environment.PARTWAY_TOKEN || null,
    dataDir: resolve(environment.PARTWAY_DATA_DIR || '.partway'),
    jwtSecret: environment.JWT_SECRET || null,
  })
}

/** `config` with what `partway serve` started or generated because nothing was configured. */
export function withLocalDefaults(config: Config, made: { databaseUrl?: string; jwtSecret?: string }): Config {
  const { databaseUrl, jwtSecret } = made
  return deepFreeze({
    ...config,
    database: { url: databaseUrl ?? config.database.url },
    jwt: { ...config.jwt, key: jwtSecret === undefined ? config.jwt.key : { kind: 'secret', secret: jwtSecret } },
  })
}

function read(environment: Environment): Variables {
  const set = Object.keys(Variables.shape).map((name) => [name, environment[name] || undefined])
  const checked = Variables.superRefine(
    (values, context) => {
      const wrong = new Set(context.issues.map((issue) => String(issue.path?.[0])))
      const usable = Object.fromEntries(Object.entries(values).filter(([name]) => !wrong.has(name)))
      for (const { variable, detail } of checkRelations(usable, wrong)) {
        context.addIssue({ code: 'custom', path: [variable], message: detail })
      }
    },
    // Also when a variable is wrong by itself: one start must tell everything that is wrong.
    { when: () => true },
  ).safeParse(Object.fromEntries(set))
  if (checked.success) return checked.data
  throw new ConfigError(
    checked.error.issues.map((issue) => ({ variable: String(issue.path[0]), detail: issue.message })),
  )
}

function jwtKeyOf(variables: Variables): JwtKey | null {
  if (variables.JWT_SECRET !== undefined) return { kind: 'secret', secret: variables.JWT_SECRET }
  if (variables.JWT_PUBLIC_KEY !== undefined) return { kind: 'public-key', pem: variables.JWT_PUBLIC_KEY }
  if (variables.JWT_JWKS_URL !== undefined) return { kind: 'jwks', url: variables.JWT_JWKS_URL }
  return null
}

function webhookOf({ WEBHOOK_URL: url, WEBHOOK_SECRET: secret, ...others }: Variables): WebhookConfig | null {
  if (url === undefined || secret === undefined) return null
  return { url, secret, allowPrivate: others.WEBHOOK_ALLOW_PRIVATE ?? false }
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === 'object' && inner !== null) deepFreeze(inner)
  return Object.freeze(value)
}
