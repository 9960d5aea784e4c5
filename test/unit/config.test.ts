import { generateKeyPairSync } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigError, type Environment, loadCliConfig, loadConfig, withLocalDefaults } from '../../server/config.ts'
import { Variables } from '../../server/variables.ts'

const secret = 'a-secret-of-thirty-two-bytes-or-more'
const live = { OSS_BUCKET: 'my-bucket', JWT_SECRET: secret, DATABASE_URL: 'postgres://u:p@db/partway' }
const production = { ...live, PARTWAY_ENV: 'production' }

/** The complaints about an environment, by variable. */
function complaints(environment: Environment): Record<string, string> {
  try {
    loadConfig(environment)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const { variable } of error.problems) expect(error.message).toContain(variable)
    return Object.fromEntries(error.problems.map(({ variable, detail }) => [variable, detail]))
  }
  return {}
}

const webhookSecret = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`

const pem = (key: { export(options: { type: 'spki'; format: 'pem' }): string | Buffer }) =>
  key.export({ type: 'spki', format: 'pem' }).toString()

describe('loadConfig', () => {
  test('needs no variable: the local cloud, embedded Postgres and a generated secret stand in', () => {
    const config = loadConfig({})
    expect(config.database.url).toBeNull()
    expect(config.jwt.key).toBeNull()
    expect(config.http).toMatchObject({ host: '127.0.0.1', port: 3000, trustProxy: null, corsOrigins: [] })
    expect(config.localCloud).toMatchObject({
      host: '127.0.0.1',
      publicHost: '127.0.0.1',
      ossPort: 9000,
      stsPort: 9001,
    })
    expect(config.oss).toMatchObject({
      bucket: 'partway-local',
      endpoint: 'http://127.0.0.1:9000',
      addressing: 'path',
      credentials: { accessKeyId: 'LTAI-partway-server' },
    })
    expect(config.sts).toMatchObject({ endpoint: 'http://127.0.0.1:9001', ttlSeconds: 900 })
    expect(config.uploads).toEqual({
      keyPrefix: 'uploads/',
      maxFileBytes: null,
      allowedContentTypes: null,
      callbackAllowedOrigins: [],
      grantTtlSeconds: 900,
      signContentLength: true,
      forbidOverwrite: true,
      staleAfterSeconds: 86_400,
      ttlSeconds: 604_800,
      sweepIntervalSeconds: 900,
      pricePerGbMonth: null,
      quotas: { maxOpenUploads: null, maxBytesInFlight: null, maxCreatesPerMinute: null },
    })
    expect(config.webhook).toBeNull()
    expect(config.dataDir).toBe(resolve('.partway'))
  })

  test('never signs with the local cloud’s root key', () => {
    const config = loadConfig({ LOCAL_ACCESS_KEY_ID: 'root', LOCAL_ACCESS_KEY_SECRET: 'of-all' })
    expect(config.localCloud).toMatchObject({ rootAccessKeyId: 'root', rootAccessKeySecret: 'of-all' })
    expect(config.oss.credentials).toEqual({
      accessKeyId: 'LTAI-partway-server',
      accessKeySecret: 'partway-server-secret',
    })
  })

  test('binds the local cloud where it is told and writes another host into URLs', () => {
    const config = loadConfig({ LOCAL_HOST: '0.0.0.0', LOCAL_PUBLIC_HOST: '192.168.1.7', LOCAL_OSS_PORT: '9100' })
    expect(config.oss.endpoint).toBe('http://127.0.0.1:9100')
    expect(config.oss.publicEndpoint).toBe('http://192.168.1.7:9100')
  })

  test('an empty variable counts as unset', () => {
    expect(loadConfig({ PORT: '', OSS_BUCKET: '', JWT_SECRET: '' })).toEqual(loadConfig({}))
  })

  test.each([
    [{ DIRECT_PREFIX: 'uploads/' }],
    [{ DIRECT_PREFIX: 'uploads/direct/' }],
    [{ KEY_PREFIX: 'direct/a/' }],
    [{ KEY_PREFIX: 'a/', DIRECT_PREFIX: 'a/b/' }],
  ])('keeps direct uploads apart from those Partway answers for: %j', (prefixes) => {
    expect(complaints(prefixes).DIRECT_PREFIX).toMatch(/^must lie outside of KEY_PREFIX/)
  })

  test('takes prefixes that only begin alike', () => {
    expect(complaints({ KEY_PREFIX: 'up/', DIRECT_PREFIX: 'upward/' })).toEqual({})
  })

  test('is frozen through and through', () => {
    const config = loadConfig({ CORS_ORIGINS: 'https://a.example' })
    expect(Object.isFrozen(config.http.corsOrigins)).toBe(true)
    expect(Object.isFrozen(withLocalDefaults(config, { jwtSecret: secret }).jwt)).toBe(true)
  })

  test('reads every variable', () => {
    const config = loadConfig({
      ...production,
      PARTWAY_DATA_DIR: '/var/lib/partway',
      LOG_LEVEL: 'debug',
      PORT: '8080',
      HOST: '::',
      PUBLIC_URL: 'https://up.example.com/uploads/',
      CORS_ORIGINS: 'https://app.example.com, http://localhost:5173',
      TRUST_PROXY: '10.0.0.0/8,fd00::/8,loopback',
      METRICS_TOKEN: secret,
      WEB_PAGES: 'false',
      OSS_REGION: 'cn-shanghai',
      STS_ROLE_ARN: 'acs:ram::123:role/up',
      STS_TTL_SECONDS: '3600',
      DIRECT_PREFIX: 'direct/in/',
      AUTH_URL_TTL_SECONDS: '3600',
      JWT_ISSUER: 'https://issuer.example',
      JWT_AUDIENCE: 'partway',
      KEY_PREFIX: 'a/b-c/',
      MAX_FILE_BYTES: '53687091200000',
      ALLOWED_CONTENT_TYPES: 'Video/MP4, image/*',
      GRANT_TTL_SECONDS: '60',
      SIGN_CONTENT_LENGTH: 'false',
      FORBID_OVERWRITE: 'false',
      STALE_AFTER_SECONDS: '3600',
      UPLOAD_TTL_SECONDS: '7200',
      SWEEP_INTERVAL_SECONDS: '60',
      PRICE_PER_GB_MONTH: '0.12',
      QUOTA_OPEN_UPLOADS: '1000',
      QUOTA_BYTES_IN_FLIGHT: '1099511627776',
      QUOTA_CREATES_PER_MINUTE: '0',
      WEBHOOK_URL: 'https://app.example.com/events?key=1',
      WEBHOOK_SECRET: webhookSecret(32),
      WEBHOOK_ALLOW_PRIVATE: 'true',
    })
    expect(config).toMatchObject({
      environment: 'production',
      dataDir: '/var/lib/partway',
      logLevel: 'debug',
      webPages: false,
      http: {
        host: '::',
        port: 8080,
        publicUrl: 'https://up.example.com/uploads',
        corsOrigins: ['https://app.example.com', 'http://localhost:5173'],
        trustProxy: ['10.0.0.0/8', 'fd00::/8', 'loopback'],
        metricsToken: secret,
      },
      oss: { endpoint: 'https://oss-cn-shanghai.aliyuncs.com', addressing: 'virtual', credentials: null },
      sts: {
        roleArn: 'acs:ram::123:role/up',
        endpoint: 'https://sts.cn-shanghai.aliyuncs.com',
        ttlSeconds: 3600,
        directPrefix: 'direct/in/',
        authUrlTtlSeconds: 3600,
      },
      jwt: { key: { kind: 'secret', secret }, issuer: 'https://issuer.example', audience: 'partway' },
      uploads: {
        keyPrefix: 'a/b-c/',
        maxFileBytes: 53_687_091_200_000,
        allowedContentTypes: ['video/mp4', 'image/*'],
        signContentLength: false,
        pricePerGbMonth: 0.12,
        quotas: { maxOpenUploads: 1000, maxBytesInFlight: 1_099_511_627_776, maxCreatesPerMinute: 0 },
      },
      webhook: { url: 'https://app.example.com/events?key=1', secret: webhookSecret(32), allowPrivate: true },
      localCloud: null,
    })
  })

  test.each([
    ['https://oss-cn-hangzhou.aliyuncs.com', 'virtual'],
    ['http://127.0.0.1:9000', 'path'],
    ['http://[::1]:9000', 'path'],
    ['http://localhost:9000', 'path'],
    ['https://files.example.com', 'cname'],
    ['https://aliyuncs.com.example.com', 'cname'],
  ])('takes %s as %s addressing', (endpoint, addressing) => {
    expect(loadConfig({ ...live, OSS_ENDPOINT: endpoint }).oss).toMatchObject({ endpoint, addressing })
  })

  test('sends clients to the public endpoint when the server’s own is internal', () => {
    expect(loadConfig({ ...live, OSS_ENDPOINT: 'oss-cn-hangzhou-internal.aliyuncs.com' }).oss).toMatchObject({
      endpoint: 'https://oss-cn-hangzhou-internal.aliyuncs.com',
      publicEndpoint: 'https://oss-cn-hangzhou.aliyuncs.com',
      publicAddressing: 'virtual',
    })
  })

  test('keeps the clients’ CNAME apart from the server’s endpoint', () => {
    const { oss } = loadConfig({ ...live, OSS_PUBLIC_ENDPOINT: 'https://up.example.com' })
    expect(oss).toMatchObject({
      addressing: 'virtual',
      publicEndpoint: 'https://up.example.com',
      publicAddressing: 'cname',
    })
  })

  test('an addressing that was set holds for both ways to the same host', () => {
    const { oss } = loadConfig({ ...live, OSS_ENDPOINT: 'https://minio.example', OSS_ADDRESSING: 'path' })
    expect([oss.addressing, oss.publicAddressing]).toEqual(['path', 'path'])
  })

  test('lists everything that is wrong at once, by name, and repeats no value', () => {
    const canary = 'cAnArY'
    const bad = {
      PARTWAY_ENV: 'production',
      PORT: canary,
      JWT_SECRET: canary,
      METRICS_TOKEN: canary,
      DATABASE_URL: `mysql://${canary}`,
      STALE_AFTER_SECONDS: '100',
      UPLOAD_TTL_SECONDS: '99',
    }
    expect(Object.keys(complaints(bad)).sort()).toEqual(
      [
        'DATABASE_URL',
        'GRANT_TTL_SECONDS',
        'JWT_SECRET',
        'METRICS_TOKEN',
        'OSS_BUCKET',
        'PORT',
        'STALE_AFTER_SECONDS',
      ].sort(),
    )
    expect(() => loadConfig(bad)).not.toThrow(canary)
  })

  test.each<[string, string]>([
    ['PORT', '65536'],
    ['PORT', '1e3'],
    ['PORT', '-1'],
    ['PORT', '3000.5'],
    ['HOST', 'a b'],
    ['PUBLIC_URL', 'ftp://x'],
    ['PUBLIC_URL', 'https://u:p@x'],
    ['PUBLIC_URL', 'https://x/?q'],
    ['QUOTA_OPEN_UPLOADS', '-1'],
    ['QUOTA_BYTES_IN_FLIGHT', '1e9'],
    ['QUOTA_CREATES_PER_MINUTE', '1.5'],
    ['WEBHOOK_URL', 'ftp://x/'],
    ['WEBHOOK_URL', 'https://u:p@x/'],
    ['WEBHOOK_URL', 'https://x/#a'],
    ['WEBHOOK_SECRET', 'x'.repeat(44)],
    ['WEBHOOK_SECRET', webhookSecret(23)],
    ['WEBHOOK_SECRET', webhookSecret(65)],
    ['WEBHOOK_SECRET', `${webhookSecret(32)}=`],
    ['WEBHOOK_ALLOW_PRIVATE', '1'],
    ['CORS_ORIGINS', '*'],
    ['CORS_ORIGINS', 'https://*.example.com'],
    ['CORS_ORIGINS', 'https://app.example.com/'],
    ['CORS_ORIGINS', 'null'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '0'],
    ['TRUST_PROXY', '10.0.0.0/33'],
    ['TRUST_PROXY', 'proxy.example.com'],
    ['WEB_PAGES', 'yes'],
    ['OSS_BUCKET', 'Upper'],
    ['OSS_REGION', 'oss-cn-hangzhou'],
    ['OSS_ENDPOINT', 'https://x/path'],
    ['OSS_ADDRESSING', 'dns'],
    ['STS_ROLE_ARN', 'arn:aws:iam::1:role/x'],
    ['STS_TTL_SECONDS', '899'],
    ['STS_TTL_SECONDS', '43201'],
    ['KEY_PREFIX', '/uploads/'],
    ['KEY_PREFIX', 'uploads'],
    ['KEY_PREFIX', '../'],
    ['KEY_PREFIX', 'a*/'],
    ['DIRECT_PREFIX', 'direct'],
    ['DIRECT_PREFIX', '*/'],
    ['AUTH_URL_TTL_SECONDS', '59'],
    ['AUTH_URL_TTL_SECONDS', '1d'],
    ['MAX_FILE_BYTES', '53687091200001'],
    ['ALLOWED_CONTENT_TYPES', '*/*'],
    ['GRANT_TTL_SECONDS', '59'],
    ['GRANT_TTL_SECONDS', '604801'],
    ['SIGN_CONTENT_LENGTH', '1'],
    ['PRICE_PER_GB_MONTH', '-1'],
    ['JWT_JWKS_URL', 'not a url'],
    ['JWT_PUBLIC_KEY', 'not a key'],
    ['JWT_SECRET', '-----BEGIN PUBLIC KEY-----'],
    ['LOG_LEVEL', 'loud'],
  ])('refuses %s=%s', (variable, value) => {
    // In words of its own: what zod says by default would not help.
    expect(complaints({ ...live, [variable]: value })[variable]).toMatch(/^(must|holds|is|cannot|means) /)
  })

  test.each<[string, number | string[]]>([
    ['1', 1],
    ['32', 32],
    ['10.0.0.1, ::1/128', ['10.0.0.1', '::1/128']],
    ['uniquelocal', ['uniquelocal']],
  ])('trusts proxies by count or address: %s', (value, trusted) => {
    expect(loadConfig({ TRUST_PROXY: value }).http.trustProxy).toEqual(trusted)
  })

  test('takes RSA and EC public keys, with line breaks written as \\n, and no other key', () => {
    const load = (key: string) => complaints({ OSS_BUCKET: 'b-b', JWT_PUBLIC_KEY: key })
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    expect(load(pem(ec.publicKey).replaceAll('\n', '\\n'))).toEqual({})
    expect(load(ec.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()).JWT_PUBLIC_KEY).toMatch(
      'private key',
    )
    expect(load(pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey))).toHaveProperty('JWT_PUBLIC_KEY')
    expect(load(pem(generateKeyPairSync('ed25519').publicKey))).toHaveProperty('JWT_PUBLIC_KEY')
  })

  test('wants exactly one way to verify callers on a real bucket', () => {
    expect(complaints({ OSS_BUCKET: 'my-bucket' })).toHaveProperty('JWT_SECRET')
    expect(complaints({ ...live, JWT_JWKS_URL: 'https://x/jwks' })).toHaveProperty('JWT_JWKS_URL')
  })

  test('production refuses embedded defaults and short secrets', () => {
    expect(Object.keys(complaints({ PARTWAY_ENV: 'production' })).sort()).toEqual([
      'DATABASE_URL',
      'JWT_SECRET',
      'OSS_BUCKET',
    ])
    expect(complaints({ ...production, JWT_SECRET: 'x'.repeat(31) })).toHaveProperty('JWT_SECRET')
    expect(complaints({ ...production, METRICS_TOKEN: 'x'.repeat(31) })).toHaveProperty('METRICS_TOKEN')
    expect(complaints(production)).toEqual({})
  })

  test('production refuses to fetch keys and credentials in the clear', () => {
    const { JWT_SECRET: _, ...keyless } = production
    const clear = { ...keyless, JWT_JWKS_URL: 'http://id.example.com/jwks', STS_ENDPOINT: 'http://sts.example.com' }
    expect(Object.keys(complaints(clear)).sort()).toEqual(['JWT_JWKS_URL', 'STS_ENDPOINT'])
    expect(complaints({ ...clear, PARTWAY_ENV: 'development' })).toEqual({})
    expect(complaints({ ...production, STS_ENDPOINT: 'https://sts-vpc.cn-hangzhou.aliyuncs.com' })).toEqual({})
  })

  test('wants what a webhook is told to be signed, and in production not in the clear', () => {
    expect(Object.keys(complaints({ WEBHOOK_URL: 'https://x/' }))).toEqual(['WEBHOOK_SECRET'])
    const clear = { WEBHOOK_URL: 'http://x/', WEBHOOK_SECRET: webhookSecret(24) }
    expect(complaints(clear)).toEqual({})
    expect(Object.keys(complaints({ ...production, ...clear }))).toEqual(['WEBHOOK_URL'])
    expect(complaints({ WEBHOOK_SECRET: webhookSecret(64) })).toEqual({})
  })

  test('refuses ports that would collide, and endpoints without a bucket', () => {
    expect(complaints({ PORT: '9000' })).toHaveProperty('LOCAL_OSS_PORT')
    expect(complaints({ LOCAL_STS_PORT: '3000' })).toHaveProperty('LOCAL_STS_PORT')
    expect(complaints({ OSS_ENDPOINT: 'https://x' })).toHaveProperty('OSS_ENDPOINT')
  })
})

describe('the environment', () => {
  test('is documented: the README names every variable', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
    const missing = Object.keys(Variables.shape).filter((name) => !readme.includes(`\`${name}\``))
    expect(missing).toEqual([])
  })

  test('is read by config.ts alone; the CLI and the embedded Postgres only pass it on to processes they start', async () => {
    const server = new URL('../../server/', import.meta.url)
    const files = (await readdir(server, { recursive: true })).filter((name) => name.endsWith('.ts'))
    const texts = await Promise.all(
      files.map(async (name) => [name, await readFile(new URL(name, server), 'utf8')] as const),
    )
    const readers = texts
      .filter(([, text]) => /process\s*\.\s*env|\benv\b.*from 'node:process'/.test(text))
      .map(([name]) => name)
    expect(readers.sort()).toEqual(['cli/serve.ts', 'config.ts', 'local-cloud/postgres-binaries.ts'])
  })
})

describe('loadCliConfig', () => {
  test('reads URL, token and data directory, whatever else is wrong', () => {
    expect(loadCliConfig({ PARTWAY_URL: 'http://x:1/up/', PARTWAY_TOKEN: 't', PORT: 'wrong' })).toMatchObject({
      url: 'http://x:1/up',
      token: 't',
      dataDir: resolve('.partway'),
    })
    expect(() => loadCliConfig({ PARTWAY_URL: 'x' })).toThrow('PARTWAY_URL')
  })
})
