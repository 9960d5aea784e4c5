import { randomUUID } from 'node:crypto'
import type { Orphan, ResolvedOrphan, Upload } from '@partway/client/contract'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Check } from '../../server/cli/doctor/finding.ts'
import { checkEverything } from '../../server/cli/doctor-checks.ts'
import {
  type CloudOperation,
  type CloudOperationUse,
  cloudOperations,
  directActionsOfServer,
  type Sender,
} from '../../server/cloud-operations.ts'
import type { Config } from '../../server/config.ts'
import type { DevClaims } from '../../server/dev-token.ts'
import { LOCAL_ACCOUNT_ID, LOCAL_ROLE_ARN, localServerUser } from '../../server/local-identities.ts'
import { createBucketSettings } from '../../server/oss/bucket-settings.ts'
import { staticCredentials } from '../../server/oss/credential-source.ts'
import {
  fixPolicy,
  type RamPolicyDocument,
  serverPolicy,
  trustPolicy,
  uploaderRolePolicy,
} from '../../server/ram-policies.ts'
import { recoverUploads } from '../../server/uploads/recover-uploads.ts'
import { warnOfLifecycle } from '../../server/uploads/warn-of-lifecycle.ts'
import { send } from '../local-cloud/send.ts'
import { type Api, createApi, createFor, foldedCrc64, MiB, sendParts, someBytes } from '../support/api.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { ROOT_KEY, TEST_BUCKET } from '../support/local-cloud.ts'
import { beginLongAgo } from '../support/strays.ts'

/* The table of operations against what is really sent: a whole use of the product asks for exactly what stands in it, under policies that
 * allow exactly that, and no right can be missing. */

const places = { bucket: TEST_BUCKET, keyPrefix: 'uploads/', directPrefix: 'direct/' }
const fixer = { userName: 'partway-fixer', accessKeyId: 'LTAI-partway-fixer', accessKeySecret: 'partway-fixer-secret' }
const table = Object.entries(cloudOperations) as [CloudOperation, CloudOperationUse][]

interface Policies {
  server: RamPolicyDocument
  role: RamPolicyDocument
  fix: RamPolicyDocument
}
const asPrinted: Policies = {
  server: serverPolicy({ ...places, roleArn: LOCAL_ROLE_ARN }),
  role: uploaderRolePolicy(places),
  fix: fixPolicy(places),
}

/** A server, its role and somebody who mends the bucket, each with a policy as the README prints it, and no right more. */
function startUnder({ server, role, fix }: Policies): Promise<TestApp> {
  const trusted = trustPolicy({ accountId: LOCAL_ACCOUNT_ID, userName: localServerUser.userName })
  const both: RamPolicyDocument = { Version: '1', Statement: [...server.Statement, ...fix.Statement] }
  return startTestApp({
    environment: { CORS_ORIGINS: 'https://app.example.com' },
    cloud: {
      users: [
        { ...localServerUser, policy: JSON.stringify(server) },
        { ...fixer, policy: JSON.stringify(both) },
      ],
      roles: [{ arn: LOCAL_ROLE_ARN, policy: JSON.stringify(role), trusted: [...trusted.Statement[0].Principal.RAM] }],
    },
  })
}

/** One thing people do with Partway. False, or an error: it could not be done. */
type Use = (app: TestApp, api: Api) => Promise<boolean>

const uses: Record<string, Use> = {
  async 'sending a file in parts'(_app, api) {
    const { upload, bytes } = await sent(api)
    const parts = [1, 2].map((partNumber) => ({ partNumber }))
    const answers = [
      await api('saveCheckpoint', { id: upload.id, body: { parts } }),
      await api('getUpload', { id: upload.id, query: { reconcile: 'true' } }),
      await api('listParts', { id: upload.id }),
      await api('completeUpload', { id: upload.id, body: { crc64: foldedCrc64(bytes, upload) } }),
    ]
    return answers.every(({ status }) => status === 200)
  },
  async 'an empty file'(_app, api) {
    const upload = await createFor(api, Buffer.alloc(0), { partSizeBytes: undefined })
    return (await api('completeUpload', { id: upload.id, body: {} })).body.upload?.state === 'completed'
  },
  async 'giving up'(_app, api) {
    const { upload } = await sent(api)
    return (await api('abortUpload', { id: upload.id })).body.upload?.state === 'aborted'
  },
  async 'a create that was never answered'(app, api) {
    app.cloud.faults.add({ match: { verb: 'InitiateMultipartUpload' }, times: 1, effect: { kind: 'cut', at: 'reply' } })
    const body = { fileName: 'file.bin', sizeBytes: 1, fingerprint: `lost-${Date.now()}` }
    await api('createUpload', { body })
    await expire(app)
    await recoverUploads(app.deps)
    return (await api('createUpload', { body: { ...body, resume: true } })).status === 200
  },
  async 'a complete that was never answered'(app, api) {
    const { upload } = await sent(api)
    app.cloud.faults.add({ match: { verb: 'CompleteMultipartUpload' }, times: 1, effect: { kind: 'cut', at: 'reply' } })
    return (await api('completeUpload', { id: upload.id, body: {} })).body.upload?.state === 'completed'
  },
  async 'an object that turns out damaged'(app, api) {
    const { upload } = await sent(api)
    const effect = { kind: 'answer', status: 503, code: 'ServiceUnavailable' } as const
    app.cloud.faults.add({ match: { verb: 'CompleteMultipartUpload' }, times: 1, effect: { kind: 'cut', at: 'reply' } })
    const blind = app.cloud.faults.add({ match: { verb: 'HeadObject' }, effect })
    await api('completeUpload', { id: upload.id, body: {} })
    app.cloud.faults.remove(blind)
    await app.deps.db.prisma.$executeRaw`UPDATE uploads SET expected_crc64 = '1' WHERE id = ${upload.id}`
    await expire(app)
    await api('completeUpload', { id: upload.id, body: {} })
    const head = await send(app.cloud.ossUrl, { method: 'HEAD', key: upload.key, credentials: ROOT_KEY })
    return head.status === 404
  },
  async 'credentials for an upload'(app, api) {
    const upload = await createFor(api, someBytes(MiB + 1))
    const { status, body: credentials } = await api('grantCredentials', { id: upload.id })
    if (status !== 200) return false
    const query = { uploadId: upload.uploadId ?? '' }
    const sendings = [
      { method: 'PUT', query: { ...query, partNumber: '1' }, body: 'x' },
      { method: 'GET', query },
      { method: 'DELETE', query },
    ]
    for (const sending of sendings) {
      const reply = await send(app.cloud.ossUrl, { key: upload.key, credentials, ...sending })
      if (reply.status >= 300) return false
    }
    return true
  },
  async 'the look at the lifecycle'(app) {
    const before = app.logLines.length
    await warnOfLifecycle(app.deps)
    return app.logLines.length === before
  },
  '/readyz': async (app) => (await fetch(`${app.url}/readyz`)).status === 200,
  async 'doctor --live'(app) {
    return areAllOk(await checkEverything(app.deps.config, { isLive: true }))
  },
  async 'orphans of either place'(app) {
    const direct = (await apiOf(app, ['credentials:direct'])('grantDirectCredentials')).body
    const strays = [`uploads/acme/${randomUUID()}/a`, `${direct.prefix}${randomUUID()}`]
    for (const key of strays) await beginLongAgo(app.cloud, key, [1])
    await app.deps.db.prisma.$executeRaw`UPDATE credential_grants SET expires_at = now() - interval '5 hours'`
    const admin = apiOf(app, ['admin'])
    const { orphans } = (await admin('listOrphans')).body
    const more = (await admin('listOrphans', { query: { kind: 'direct' } })).body.orphans
    const found = [...orphans, ...more].filter(({ key }: Orphan) => strays.includes(key))
    const ids = found.map(({ id }: Orphan) => id)
    const resolved = (await admin('resolveOrphans', { body: { action: 'abort', ids } })).body.orphans
    return resolved.length === 2 && resolved.every(({ outcome }: ResolvedOrphan) => outcome === 'aborted')
  },
  async 'mending the lifecycle'(app) {
    await forgetRules(app)
    const operator = createApi(app.url, app.token({ subject: 'op', tenant: '*', scopes: ['admin'] }))
    return (await operator('mergeLifecycle')).body.isChanged === true
  },
  async 'doctor --fix'(app) {
    await forgetRules(app)
    const { accessKeyId: rootAccessKeyId, accessKeySecret: rootAccessKeySecret } = fixer
    const { localCloud } = app.deps.config
    const config = {
      ...app.deps.config,
      localCloud: localCloud && { ...localCloud, rootAccessKeyId, rootAccessKeySecret },
    }
    const checks = await checkEverything(config as Config, { isFixing: true })
    const fixes = checks.filter(({ name }) => name.startsWith('fix: '))
    return fixes.length === 2 && areAllOk(checks)
  },
}

const apiOf = (app: TestApp, scopes: DevClaims['scopes']) =>
  createApi(app.url, app.token({ subject: 'alice', tenant: 'acme', scopes }))

/** As if Partway had never added a rule. */
async function forgetRules(app: TestApp): Promise<void> {
  const owner = createBucketSettings({
    ...app.deps.config.oss,
    credentials: staticCredentials(ROOT_KEY),
    now: app.deps.now,
  })
  await owner.writeLifecycle(`<LifecycleConfiguration>${theirs.lifecycle}</LifecycleConfiguration>`)
  await owner.writeCors(`<CORSConfiguration>${theirs.cors}</CORSConfiguration>`)
  await owner.close()
}

/** Rules of somebody else, so that Partway's are missing. */
const theirs = {
  lifecycle:
    '<Rule><ID>theirs</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>',
  cors: '<CORSRule><AllowedOrigin>https://theirs.test</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>',
}

const areAllOk = (checks: readonly Check[]) => checks.length > 0 && checks.every(({ status }) => status === 'ok')

async function sent(api: Api): Promise<{ upload: Upload; bytes: Buffer }> {
  const bytes = someBytes(MiB + 1)
  const upload = await createFor(api, bytes)
  await sendParts(api, upload, bytes)
  return { upload, bytes }
}

/** As if every lease had run out. */
const expire = (app: TestApp) =>
  app.deps.db.prisma.$executeRaw`UPDATE uploads SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL`

/** The names of what cannot be done on `app`. */
async function failing(app: TestApp): Promise<string[]> {
  const api = apiOf(app, ['uploads', 'credentials'])
  const failed: string[] = []
  for (const [name, use] of Object.entries(uses)) {
    if (!(await use(app, api).catch(() => false))) failed.push(name)
    app.cloud.faults.clear()
  }
  return failed
}

describe('a whole use, under the policies that the README prints', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startUnder(asPrinted)
  })
  afterAll(() => app.close())

  it('lacks no right, and asks for the operations in the table and for no other', async () => {
    expect(await failing(app)).toEqual([])
    const { OptionObject, ListBuckets, ...asked } = app.cloud.requests.all()
    expect(Object.keys(asked).sort()).toEqual(Object.keys(cloudOperations).sort())
    // The doctor asks these without a signature, as a browser and to read the clock: no right is needed to be refused.
    expect(OptionObject).toBeGreaterThan(0)
    expect(app.cloud.requests.countAnswered('ListBuckets', 403)).toBe(ListBuckets)
    for (const name of Object.keys(asked)) expect([name, refusals(app, name)]).toEqual([name, 0])
  })
})

/** Requests refused for want of a right, but for what the doctor tries in two runs: what vended credentials must not be good for. */
function refusals(app: TestApp, name: string): number {
  const tried: Record<string, number> = { ListParts: 6, HeadObject: 2, ListMultipartUploads: 2 }
  // It also sends parts without a signature and with a wrong length: that sending parts needs no more than it has, the uses above show.
  return name === 'UploadPart' ? 0 : app.cloud.requests.countAnswered(name, 403) - (tried[name] ?? 0)
}

describe('one right less', () => {
  const rights = (['server', 'vended', 'doctor --fix'] as const).flatMap((sender) =>
    [...new Set(table.filter(([, { senders }]) => senders.includes(sender)).map(([, { action }]) => action))].map(
      (action) => [action, sender] as const,
    ),
  )

  it.each(rights)('%s of %s cannot be missing', async (action, sender) => {
    const app = await startUnder(without(action, sender))
    try {
      const failed = await failing(app)
      const needs = table.filter(([, use]) => use.action === action && use.senders.includes(sender))
      const isForUploads =
        sender !== 'doctor --fix' && needs.some(([, { need }]) => need === 'uploads' || need === 'credentials')
      // Where uploads need it, not only the doctor says so.
      expect(isForUploads ? failed.filter((name) => !name.startsWith('doctor')) : failed).not.toEqual([])
      expect(failed.length).toBeLessThan(Object.keys(uses).length)
    } finally {
      await app.close()
    }
  })
})

describe('below DIRECT_PREFIX', () => {
  const { Version, Statement } = asPrinted.server
  const isDirect = (one: (typeof Statement)[number]) => one.Resource.some((arn) => arn.endsWith('/direct/*'))

  it.each(directActionsOfServer())('%s of the server cannot be missing, and only orphans need it', async (action) => {
    const less = Statement.map((one) =>
      isDirect(one) ? { ...one, Action: one.Action.filter((name) => name !== action) } : one,
    )
    const app = await startUnder({ ...asPrinted, server: { Version, Statement: less } })
    try {
      expect(await failing(app)).toEqual(['orphans of either place'])
    } finally {
      await app.close()
    }
  })

  it('the server has no right where it vends no credentials', () => {
    expect(serverPolicy({ ...places, roleArn: null }).Statement.some(isDirect)).toBe(false)
  })
})

function without(action: string, sender: Sender): Policies {
  const less = ({ Version, Statement }: RamPolicyDocument): RamPolicyDocument => ({
    Version,
    Statement: Statement.map((one) => ({ ...one, Action: one.Action.filter((name) => name !== action) })).filter(
      (one) => one.Action.length > 0,
    ),
  })
  const names = { server: 'server', vended: 'role', 'doctor --fix': 'fix' } as const
  const name = names[sender]
  // Whoever mends the bucket has the server's rights as well.
  const all = sender === 'doctor --fix' ? { ...asPrinted, server: less(asPrinted.server) } : asPrinted
  return { ...all, [name]: less(asPrinted[name]) }
}
