import { createHmac } from 'node:crypto'
import { request } from 'node:http'
import { type Endpoint, type EndpointName, endpoints, type Upload } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkEverything } from '../../server/cli/doctor-checks.ts'
import { type Config, ConfigError, loadConfig } from '../../server/config.ts'
import type { FaultEffect } from '../../server/local-cloud/faults.ts'
import { localServerUser } from '../../server/local-identities.ts'
import { Variables } from '../../server/variables.ts'
import { type Api, createApi, createFor, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, TEST_JWT_SECRET, type TestApp } from '../support/app.ts'
import { answerJson, type CallbackApp, startCallbackApp } from '../support/callback-app.ts'
import { startChild } from '../support/child.ts'
import { runPartway } from '../support/partway-process.ts'
import { assertNoLeak, protect, watch } from '../support/secret-watch.ts'

/* Canaries in every variable and every input, on good roads and bad ones. What comes out is looked through by the watch that every test app
 * is under: this file makes sure that there is something to be found, and that it would be. */

const canary = 'cAnArY-0123456789-cAnArY'
const inUrl = `https://somebody:${canary}@example.com/`
protect(canary)

describe('the watch over a test app rejects its close when a canary is', () => {
  const leaking: Record<string, (app: TestApp) => Promise<unknown> | unknown> = {
    'in the log': (app) => app.deps.log.info({ seen: canary }, 'x'),
    'in the log of an error': (app) => app.deps.log.error({ err: new Error('x', { cause: new Error(canary) }) }, 'x'),
    'in the metrics': (app) => app.deps.metrics.ossCall(canary, 'ok', 1),
    'in a row': (app) =>
      app.deps.db.prisma.event.create({ data: { kind: 'object-changed', tenant: 't', detail: { a: [canary] } } }),
    'in an answer': async (app) => {
      app.deps.objects.listParts = async () => ({ parts: [], nextAfter: canary as unknown as number })
      const api = createApi(app.url, app.token())
      const upload = await createFor(api, someBytes(1))
      expect((await api('listParts', { id: upload.id })).body.nextAfter).toBe(canary)
    },
  }
  it.each(Object.keys(leaking))('%s', async (name) => {
    const app = await startTestApp()
    await leaking[name]?.(app)
    await expect(app.close()).rejects.toThrow(/secrets turned up where none may be:\n {2}configured in/)
  })

  it('in a process’s output, where that has ended', async () => {
    const print = 'console.log(process.env.A_SECRET); console.error(process.env.A_SECRET)'
    await startChild(['-e', print], { A_SECRET: `${canary}-of-a-process` }).ended
    expect(assertNoLeak).toThrow(/configured in what ".*" printed: cAnArY…/)
  })

  it('what a security token, a signature or a bearer token is, where it was not asked for', async () => {
    const app = await startTestApp()
    const token = app.token({ scopes: ['uploads', 'credentials'] })
    const api = createApi(app.url, token)
    const upload = await createFor(api, someBytes(MiB), { parts: [{ partNumber: 1 }] })
    const { body } = await api('grantCredentials', { id: upload.id })
    const { body: granted } = await api('grantParts', { id: upload.id, body: { parts: [{ partNumber: 1 }] } })
    const signature = /x-oss-signature=(\w+)/.exec(granted.grants[0].url)?.[1]
    for (const secret of [body.accessKeySecret, body.securityToken, token, signature]) {
      // By the database, past every scrubbing.
      await app.deps.db.prisma.event.create({ data: { kind: 'object-changed', tenant: 't', detail: { a: secret } } })
    }
    await expect(app.close()).rejects.toThrow(
      /4 secrets[\s\S]*vended in a row of events[\s\S]*signature in a row of events/,
    )
  })
})

describe('variables', () => {
  const needed = {
    JWT_SECRET: TEST_JWT_SECRET,
    DATABASE_URL: 'postgres://localhost/x',
    WEBHOOK_SECRET: `whsec_${Buffer.alloc(32).toString('base64')}`,
  }
  // Values that somebody might paste into the wrong place.
  const pasted = [
    canary,
    inUrl,
    `https://example.com/?token=${canary}`,
    `postgres://u:${canary}@h/d`,
    `-----BEGIN PRIVATE KEY-----\n${canary}`,
    `${canary} ${canary}`,
  ]
  /** Secrets: what the server below runs with. */
  const secrets = ['JWT_SECRET', 'METRICS_TOKEN', 'DATABASE_URL', 'LOCAL_ACCESS_KEY_SECRET', 'WEBHOOK_URL']
  /** Of a form that nothing pasted by mistake has. */
  const webhookKey = Buffer.from(`the-webhooks-${canary}`).toString('base64')
  /** Names and places, which are shown. */
  const shown = [
    'PARTWAY_DATA_DIR',
    'HOST',
    'JWT_ISSUER',
    'JWT_AUDIENCE',
    'LOCAL_HOST',
    'LOCAL_PUBLIC_HOST',
    'LOCAL_ACCESS_KEY_ID',
  ]
  /** URLs: their paths are shown, and they take neither passwords nor queries. */

  it.each(Object.keys(Variables.shape))('%s: a wrong value is complained about without being repeated', (name) => {
    const taken = pasted.filter((value) => {
      try {
        loadConfig({ ...needed, [name]: value })
        return true
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        watch(`the message about ${name}`, `${error.message}${JSON.stringify(error.problems)}${error.stack}`)
        return false
      }
    })
    assertNoLeak()
    // A new variable that takes such values is either a secret, and then belongs to those below, or not.
    expect(taken.length > 0).toBe(secrets.includes(name) || shown.includes(name))
  })

  it('the secret ones are all protected in every test app', async () => {
    const plain = secrets.filter((name) => !['DATABASE_URL', 'WEBHOOK_URL'].includes(name))
    const app = await startTestApp({
      environment: {
        ...Object.fromEntries(plain.map((name) => [name, `${name}-${canary}-long-enough`])),
        WEBHOOK_URL: `https://example.com/?token=of-a-webhook-and-long`,
        WEBHOOK_SECRET: `whsec_${webhookKey}`,
      },
    })
    const {
      jwt: { key },
      http,
      localCloud,
      database,
      webhook,
    } = app.deps.config
    const password = new URL(database.url ?? '').password
    const values = [
      key?.kind === 'secret' && key.secret,
      http.metricsToken,
      localCloud?.rootAccessKeySecret,
      password,
      webhook?.url,
    ]
    expect(values).toHaveLength(secrets.length)
    values.push(webhook?.secret, webhookKey)
    for (const value of values) {
      watch('here', `x${value}x`)
      expect(assertNoLeak, String(value)).toThrow('in here')
    }
    await app.close()
  })
})

let app: TestApp
let application: CallbackApp
const scopes = ['uploads', 'uploads:tenant', 'credentials', 'credentials:direct', 'admin'] as const
beforeAll(async () => {
  application = await startCallbackApp()
  app = await startTestApp({ environment: { CALLBACK_ALLOWED_ORIGINS: application.url } })
})
afterAll(async () => {
  await app.close()
  await application.close()
})

/** The log and the metrics so far: what callers sent as data (file names, metadata, tenants) may be in rows and answers, and not there. */
async function lookAtLogAndMetrics(): Promise<void> {
  watch('the log', app.logLines.join(''))
  watch('the metrics', (await app.deps.metrics.expose()).text)
  app.logLines.splice(0)
  assertNoLeak()
}

describe.each(Object.entries(endpoints) as [EndpointName, Endpoint][])('%s', (name, { method, path, body }) => {
  const filled = (id = `upl_${'0'.repeat(32)}`) => path.replace(/\{\w+\}/, id)
  const good = () => ({ authorization: `Bearer ${app.token({ scopes })}` })
  const json = { 'content-type': 'application/json' }
  const forged = (claims: object | string, secret = TEST_JWT_SECRET) => {
    const piece = (value: string) => Buffer.from(value).toString('base64url')
    const whole = { sub: canary, exp: Date.now() / 1000 + 60 }
    const payload = typeof claims === 'string' ? claims : JSON.stringify({ ...whole, ...claims })
    const signed = `${piece(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid: canary }))}.${piece(payload)}`
    return `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
  }

  /** Sends what fetch would refuse to. Resolves with the status, or 0 when there was no answer. */
  function ask(target: string, headers: Record<string, string>, content?: string): Promise<number> {
    return new Promise((resolve) => {
      const asked = request(`${app.url}${target}`, { method, headers: { ...good(), ...headers } }, (reply) => {
        reply.resume().on('close', () => resolve(reply.statusCode ?? 0))
      })
      asked.on('error', () => resolve(0))
      asked.end(content)
    })
  }

  it('tells nothing of what was wrong in a head', async () => {
    const authorizations = [
      `Bearer ${canary}`,
      `Bearer ${canary.repeat(400)}`,
      `Bearer ${canary}.${canary}.${canary}`,
      `Basic ${Buffer.from(`u:${canary}`).toString('base64')} ${canary}`,
      canary,
      forged({}, 'not the secret of this server, and as long'),
      forged({ scope: [canary] }),
      forged({ scope: `${canary}:all` }),
      forged({ tenant: `${canary}\u0000` }),
      forged({ limits: { maxSizeBytes: canary, contentTypes: [canary], [canary]: 1 } }),
      forged({ sub: `${canary}\n`, iss: canary, aud: canary, nbf: canary }),
      forged({ nbf: Date.now() / 1000 + 3600 }),
      forged({ exp: 1 }),
      forged(canary),
      forged(`{"sub": ${canary}`),
      forged(canary, 'not the secret of this server, and as long'),
    ]
    const heads: Record<string, string>[] = [
      ...authorizations.map((authorization) => ({ authorization })),
      { cookie: `session=${canary}` },
      { 'proxy-authorization': `Basic ${canary}`, 'x-oss-security-token': canary, 'x-access-token': canary },
      { 'idempotency-key': `${canary} with spaces` },
      { 'idempotency-key': canary.repeat(20) },
      { 'x-request-id': `${canary} with spaces` },
      { 'x-oss-pub-key-url': Buffer.from(inUrl).toString('base64') },
      // An auth URL names the host that its caller used.
      ...(name === 'createAuthUrl' ? [] : [{ host: `${canary}:1:1` }]),
      { 'x-forwarded-for': canary, 'x-forwarded-host': canary, forwarded: canary },
      { 'content-type': `text/${canary}`, 'content-length': '2' },
      { ...json, 'content-encoding': canary, 'content-length': '2' },
      { 'content-type': `application/json; charset=${canary}`, 'content-length': '2' },
      { origin: `https://${canary}.example.com` },
    ]
    for (const head of heads) await ask(filled(), head, head['content-length'] ? '{}' : undefined)
    await lookAtLogAndMetrics()
  })

  it('tells nothing of what was wrong in a target', async () => {
    for (const id of [canary, `%zz${canary}`, `upl_${canary}`, canary.repeat(50), `${canary}%00`])
      await ask(filled(id), {})
    await ask(`${path.replace(/\{\w+\}/, 'x')}/${canary}`, {})
    for (const query of [
      `token=${canary}`,
      `access_token=${canary}&limit=${canary}`,
      `state=${canary}&reconcile=${canary}&cursor=${canary}&fingerprint=${canary}%00`,
    ]) {
      await ask(`${filled()}?${query}`, {})
    }
    await lookAtLogAndMetrics()
    // A name that is not known is named to whoever sent it, and nowhere else.
  })

  it('tells nothing of what was wrong in a body', async () => {
    const contents = [
      `{"a": ${canary}`,
      canary,
      JSON.stringify(canary),
      JSON.stringify([canary]),
      JSON.stringify({ a: canary.repeat(60_000) }),
      ...fieldsOf(body).map((field) => JSON.stringify({ [field]: { unknown: canary } })),
      ...fieldsOf(body).map((field) => JSON.stringify({ [field]: `${canary}\u0000` })),
      ...fieldsOf(body).map((field) =>
        JSON.stringify({
          [field]: [`${canary}\u0000`, { partNumber: canary, md5: canary, etag: canary, crc64: canary }],
        }),
      ),
    ]
    for (const content of contents) await ask(filled(), json, content)
    expect(app.logLines.some((line) => line.includes(`"endpoint":"${name}"`))).toBe(true)
    await lookAtLogAndMetrics()
  })
})

/** The names of a body's fields. */
function fieldsOf(body: Endpoint['body']): string[] {
  const { properties = {} } = (body ? body.toJSONSchema({ io: 'input', unrepresentable: 'any' }) : {}) as {
    properties?: object
  }
  return Object.keys(properties)
}

describe('what callers send as data', () => {
  it('is in no log and no metric, from create to complete', async () => {
    const told = 'data-canary-0123456789'
    application.answer = (response) => answerJson(response, { said: told })
    const bytes = someBytes(MiB + 1)
    const own = createApi(app.url, app.token({ scopes, subject: told, tenant: 'acme' }))
    const upload = await createFor(own, bytes, {
      fileName: `${told}.bin`,
      contentType: 'application/x-data-canary-0123456789',
      metadata: { note: told },
      fingerprint: told,
      callback: {
        url: `${application.url}/${told}?${told}`,
        body: `${told}=1&object=\${object}`,
        vars: { 'x:a': told },
      },
    })
    await own('grantCredentials', { id: upload.id })
    await sendParts(own, upload, bytes)
    const done = await own('completeUpload', { id: upload.id, body: {} })
    expect(done.body.callbackResult.body).toContain(told)
    await own('listUploads', { query: { fingerprint: told } })
    const lines = [app.logLines.join(''), (await app.deps.metrics.expose()).text]
    const telling = lines
      .join('\n')
      .split('\n')
      .filter((line) => line.includes(told))
    expect(telling).toEqual([])
  })
})

describe('when something fails', () => {
  const newcomer = (() => {
    let count = 0
    return (on: TestApp = app) => createApi(on.url, on.token({ scopes, subject: `somebody-${++count}` }))
  })()

  /** Whatever a caller can do, one after the other. */
  async function useEverything(on: TestApp): Promise<number[]> {
    const own = newcomer(on)
    const statuses: number[] = []
    const call = async (...args: Parameters<Api>) => {
      const reply = await own(...args)
      statuses.push(reply.status)
      return reply
    }
    const created = await call('createUpload', {
      body: { fileName: 'a', sizeBytes: MiB + 1, parts: [{ partNumber: 1 }] },
    })
    const id: Upload['id'] = created.body.upload?.id ?? `upl_${'0'.repeat(32)}`
    await call('grantParts', { id, body: { parts: [{ partNumber: 1 }] } })
    await call('grantCredentials', { id })
    await call('grantDirectCredentials')
    const { body } = await call('createAuthUrl')
    if (body.url) await fetch(String(body.url))
    await call('saveCheckpoint', { id, body: { parts: [{ partNumber: 1 }] } })
    await call('getUpload', { id, query: { reconcile: 'true' } })
    await call('completeUpload', { id, body: {} })
    await call('abortUpload', { id })
    for (const path of ['/readyz', '/metrics', '/', '/docs', '/openapi.json'])
      statuses.push((await fetch(on.url + path)).status)
    return statuses
  }

  // OSS and STS repeat in their errors what was signed, with security tokens, policies and signatures.
  const echo = `${canary} StringToSign SecurityToken=CAIS${'A'.repeat(200)} Signature=${'0a'.repeat(32)}`
  const effects: Record<string, FaultEffect> = {
    'answers 403 and repeats what was signed': {
      kind: 'answer',
      status: 403,
      code: 'SignatureDoesNotMatch',
      message: echo,
    },
    'answers 400 and repeats what was sent': { kind: 'answer', status: 400, code: 'InvalidArgument', message: echo },
    'answers 500': { kind: 'answer', status: 500, code: 'InternalError', message: echo },
    'answers with a code that is none': { kind: 'answer', status: 400, code: `of ${canary}`, message: echo },
    throttles: { kind: 'answer', status: 503, code: 'Throttling.User', message: echo },
    'sends an error inside a success': { kind: 'error-in-body', code: 'InternalError', message: echo },
    'hangs up': { kind: 'cut', at: 'start' },
  }

  it.each(Object.keys(effects))('because the cloud %s', async (name) => {
    const effect = effects[name]
    if (!effect) throw new Error('no such effect')
    const alone = await startTestApp({ beside: app })
    app.cloud.faults.add({ effect })
    try {
      const statuses = await useEverything(alone)
      expect(statuses.some((status) => status >= 500)).toBe(true)
      const checks = await checkEverything(alone.deps.config, { isLive: true })
      watch('what the doctor says', JSON.stringify(checks))
    } finally {
      app.cloud.faults.clear()
      await alone.close()
    }
  })

  it.each<[string, (config: Config) => Config]>([
    [
      'the server signs with a wrong secret',
      (config) => ({
        ...config,
        oss: { ...config.oss, credentials: { ...localServerUser, accessKeySecret: `wrong-${canary}` } },
      }),
    ],
    [
      'nobody answers for OSS and STS',
      (config) => ({
        ...config,
        oss: { ...config.oss, endpoint: 'http://127.0.0.1:1' },
        sts: { ...config.sts, endpoint: 'http://127.0.0.1:1' },
      }),
    ],
    [
      'the database takes no such password',
      (config) => ({ ...config, database: { url: withPassword(config, `wrong-${canary}`) } }),
    ],
    [
      'nobody answers for the database',
      (config) => ({
        ...config,
        database: { url: `postgres://somebody:${canary}@127.0.0.1:1/x?application_name=${canary}` },
      }),
    ],
  ])('because %s', async (_, config) => {
    const alone = await startTestApp({ beside: app, config })
    try {
      expect((await useEverything(alone)).some((status) => status >= 500)).toBe(true)
      watch('what the doctor says', JSON.stringify(await checkEverything(alone.deps.config)))
    } finally {
      await alone.close()
    }
  })

  const environment = {
    OSS_BUCKET: 'my-bucket',
    OSS_ENDPOINT: 'http://127.0.0.1:1',
    DATABASE_URL: `postgres://somebody:${canary}@127.0.0.1:1/x`,
    JWT_SECRET: `${canary}-of-32-bytes-or-more`,
    METRICS_TOKEN: `${canary}-of-32-bytes-or-more`,
    ALIBABA_CLOUD_ACCESS_KEY_ID: 'LTAI-x',
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: canary,
    ALIBABA_CLOUD_SECURITY_TOKEN: canary,
    PARTWAY_TOKEN: canary,
    LOG_LEVEL: 'debug',
  }
  it.each<[string, string[], Record<string, string>]>([
    ['the server cannot start', ['serve'], environment],
    [
      'every variable is wrong',
      ['serve'],
      Object.fromEntries(Object.keys(Variables.shape).map((name) => [name, `${canary} ${inUrl}`])),
    ],
    ['the doctor finds everything wrong', ['doctor', '--live', '--fix', '--json'], environment],
    ['migrations reach no database', ['migrate'], environment],
    ['a command reaches no server', ['list'], { ...environment, PARTWAY_URL: 'http://127.0.0.1:1' }],
    ['a token is none', ['list'], { ...environment, PARTWAY_URL: 'URL' }],
    ['an upload is refused', ['upload', 'package.json', '--json'], { ...environment, PARTWAY_URL: 'URL' }],
    [
      'the server’s URL holds a password',
      ['list'],
      { PARTWAY_URL: `ftp://u:${canary}@h/?${canary}`, PARTWAY_TOKEN: canary },
    ],
  ])('because %s', async (_, args, env) => {
    const run = runPartway(args, { ...env, ...(env.PARTWAY_URL === 'URL' ? { PARTWAY_URL: app.url } : {}) })
    expect(await run.ended).not.toBe(0)
    expect(run.stdout() + run.stderr()).not.toBe('')
    assertNoLeak()
  })
})

function withPassword({ database }: Config, password: string): string {
  const url = new URL(database.url ?? '')
  url.password = password
  return url.href
}
