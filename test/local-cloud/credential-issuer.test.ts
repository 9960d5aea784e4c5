import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createAliyunCredentialIssuer } from '../../server/sts/aliyun-credential-issuer.ts'
import { createCredentialCache } from '../../server/sts/credential-cache.ts'
import { type CredentialIssuer, IssuerProblem } from '../../server/sts/credential-issuer.ts'
import { createPatientIssuer } from '../../server/sts/patient-issuer.ts'
import { SERVER_KEY, startTestCloud, TEST_BUCKET, TEST_ROLE_ARN, type TestCloud } from '../support/local-cloud.ts'
import { send } from './send.ts'

let cloud: TestCloud
const issuers: CredentialIssuer[] = []
beforeAll(async () => {
  cloud = await startTestCloud()
})
afterAll(() => cloud.cleanUp())
afterEach(async () => {
  cloud.faults.clear()
  cloud.requests.reset()
  await Promise.all(issuers.splice(0).map((issuer) => issuer.close()))
})

type Options = Parameters<typeof createAliyunCredentialIssuer>[0]
function issuer(changed: Partial<Options> = {}) {
  const made = createAliyunCredentialIssuer({
    endpoint: cloud.stsUrl,
    roleArn: TEST_ROLE_ARN,
    getKey: async () => SERVER_KEY,
    now: () => new Date(),
    ...changed,
  })
  issuers.push(made)
  return made
}

const policy = JSON.stringify({
  Version: '1',
  Statement: [
    { Effect: 'Allow', Action: ['oss:PutObject'], Resource: [`acs:oss:*:*:${TEST_BUCKET}/canary-policy/object`] },
  ],
})
const request = { sessionName: 'acme@alice', policy, ttlSeconds: 900 }

async function failureOf(asked: Promise<unknown>): Promise<IssuerProblem> {
  const error = await asked.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(IssuerProblem)
  return error as IssuerProblem
}

/** Everything that a logger could write of an error. */
function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return JSON.stringify(error) ?? ''
  const own = Object.fromEntries(Object.getOwnPropertyNames(error).map((name) => [name, Reflect.get(error, name)]))
  return `${JSON.stringify(own)} ${error.stack} ${error.cause === undefined ? '' : everythingIn(error.cause)}`
}

describe('the issuer', () => {
  it('has credentials made that do what the session policy allows and nothing else', async () => {
    const seen: string[] = []
    const credentials = await issuer({ observe: (outcome) => seen.push(outcome) }).assumeRole(request)
    expect(credentials.accessKeyId).toMatch(/^STS\./)
    expect(credentials.requestId).toMatch(/^[0-9A-F-]{36}$/)
    expect(Math.abs(credentials.expiresAt.getTime() - Date.now() - 900_000)).toBeLessThan(10_000)
    const put = (key: string) => send(cloud.ossUrl, { method: 'PUT', key, body: 'x', credentials })
    expect((await put('canary-policy/object')).status).toBe(200)
    expect((await put('canary-policy/other')).status).toBe(403)
    expect(seen).toEqual(['ok'])
  })

  it('asks by POST, with nothing in the URL', async () => {
    const stub = await startStub((url, method, body) => {
      expect([url, method]).toEqual(['/', 'POST'])
      const form = new URLSearchParams(body)
      expect(form.get('Policy')).toBe(policy)
      expect(form.get('DurationSeconds')).toBe('900')
      expect(form.get('RoleSessionName')).toBe('acme@alice')
      expect(form.get('Timestamp')).toBe('2026-01-02T03:04:05Z')
      return { status: 200, text: '{}' }
    })
    const now = () => new Date('2026-01-02T03:04:05.678Z')
    await failureOf(issuer({ endpoint: stub.url, now }).assumeRole(request))
    expect(stub.count()).toBe(1)
    await stub.close()
  })

  it.each([
    ['throttled', 400, 'Throttling.User'],
    ['throttled', 400, 'Throttling'],
    ['throttled', 429, 'TooManyRequests'],
    ['unreachable', 503, 'ServiceUnavailable'],
    ['unreachable', 500, 'InternalError'],
    ['unreachable', 400, 'SignatureNonceUsed'],
    ['refused', 403, 'NoPermission'],
    ['refused', 404, 'EntityNotExist.Role'],
    ['refused', 404, 'InvalidAccessKeyId.NotFound'],
    ['refused', 400, 'SignatureDoesNotMatch'],
    ['refused', 400, 'InvalidParameter.DurationSeconds'],
    ['refused', 400, 'InvalidTimeStamp.Expired'],
    ['scope', 400, 'InvalidParameter.PolicyGrammar'],
    ['scope', 400, 'InvalidParameter.PolicySize'],
    ['scope', 400, 'InvalidParameter.RoleSessionName'],
  ] as const)('reads as %s: %i %s', async (failure, status, code) => {
    cloud.faults.add({ match: { verb: 'AssumeRole' }, effect: { kind: 'answer', status, code } })
    const problem = await failureOf(issuer().assumeRole(request))
    expect([problem.failure, problem.code]).toEqual([
      failure,
      failure === 'scope' ? 'internal' : 'credentials-unavailable',
    ])
    if (problem.code === 'credentials-unavailable') expect(problem.retryAfterSeconds).toBeGreaterThan(0)
    expect(String(problem.cause)).toContain(code)
  })

  it.each<[string, Partial<Options>]>([
    ['a wrong secret', { getKey: async () => ({ ...SERVER_KEY, accessKeySecret: 'canary-secret' }) }],
    ['a role that is not there', { roleArn: 'acs:ram::1000000000000000:role/nobody' }],
    ['nobody at the endpoint', { endpoint: 'http://127.0.0.1:9' }],
  ])('says nothing of what it sent when there is %s', async (_, changed) => {
    const text = everythingIn(await failureOf(issuer(changed).assumeRole(request)))
    for (const secret of [
      'canary',
      'Signature=',
      'Policy',
      'RoleArn',
      SERVER_KEY.accessKeyId,
      SERVER_KEY.accessKeySecret,
    ]) {
      expect(text).not.toContain(secret)
    }
  })

  it.each<[string, Reply]>([
    ['a page of a proxy', { status: 502, text: '<html>canary-page</html>' }],
    ['JSON that is no reply', { status: 200, text: '{"RequestId":"r","Credentials":{"AccessKeyId":"canary-id"}}' }],
    ['no date', { status: 200, text: credentialsJson('soon') }],
    ['no object', { status: 200, text: 'null' }],
    [
      'an error code made to break log lines',
      { status: 400, text: '{"Code":"x\\n canary-code","Message":"canary-message"}' },
    ],
  ])('takes no %s for credentials, and repeats nothing of it', async (_, reply) => {
    const stub = await startStub(() => reply)
    const problem = await failureOf(issuer({ endpoint: stub.url }).assumeRole(request))
    expect(problem.code).toBe('credentials-unavailable')
    expect(everythingIn(problem)).not.toContain('canary')
    await stub.close()
  })

  it('waits for no longer than it is told', async () => {
    const stub = await startStub(() => null)
    const problem = await failureOf(issuer({ endpoint: stub.url, timeoutMs: 100 }).assumeRole(request))
    expect(problem.failure).toBe('unreachable')
    await stub.close()
  })

  it('lets go of an answer that never ends: its connection is free for the next caller', async () => {
    const open = new Set<Socket>()
    const server = createServer((_, response) => {
      response.writeHead(200)
      // Never idle, so no timeout of the socket ends it.
      const drip = setInterval(() => response.write(' '), 10)
      response.on('close', () => clearInterval(drip))
    })
    server.on('connection', (socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const hanging = issuer({ endpoint, timeoutMs: 100 })
    const problems = await Promise.all(Array.from({ length: 40 }, () => failureOf(hanging.assumeRole(request))))
    expect(new Set(problems.map(({ failure }) => failure))).toEqual(new Set(['unreachable']))
    await expect.poll(() => open.size).toBe(0)
    server.close()
  })

  it.each(['', ' '])('never asks without a policy, nor with %j: that would be all the role may do', async (none) => {
    expect((await failureOf(issuer().assumeRole({ ...request, policy: none }))).failure).toBe('scope')
    expect(cloud.requests.count('AssumeRole')).toBe(0)
  })

  it('passes on that the server has no key of its own', async () => {
    const getKey = async () => {
      throw new IssuerProblem('refused', 'no key')
    }
    expect((await failureOf(issuer({ getKey }).assumeRole(request))).detail).toBe('no key')
  })
})

describe('1,000 concurrent callers of one scope', () => {
  it('cost one AssumeRole', async () => {
    const cache = createCredentialCache({ issuer: issuer(), now: () => new Date() })
    const given = await Promise.all(Array.from({ length: 1000 }, () => cache.assumeRole(request)))
    expect(new Set(given.map(({ securityToken }) => securityToken)).size).toBe(1)
    expect(cloud.requests.count('AssumeRole')).toBe(1)
  })

  it('cost one AssumeRole also when the first tries are throttled', async () => {
    cloud.faults.add({
      match: { verb: 'AssumeRole' },
      times: 2,
      effect: { kind: 'answer', status: 400, code: 'Throttling.User' },
    })
    const now = () => new Date()
    const cache = createCredentialCache({
      issuer: createPatientIssuer({ issuer: issuer(), now, sleep: async () => {} }),
      now,
    })
    await Promise.all(Array.from({ length: 1000 }, () => cache.assumeRole(request)))
    expect([cloud.requests.count('AssumeRole'), cloud.requests.countAnswered('AssumeRole', 200)]).toEqual([3, 1])
  })
})

type Reply = { status: number; text: string }

/** A service that answers as told; null: never. */
async function startStub(answer: (url: string, method: string, body: string) => Reply | null) {
  let count = 0
  const server: Server = createServer(async (incoming, response) => {
    count++
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const reply = answer(incoming.url ?? '', incoming.method ?? '', Buffer.concat(chunks).toString())
    if (reply) response.writeHead(reply.status).end(reply.text)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: () => count,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function credentialsJson(expiration: string): string {
  const Credentials = { AccessKeyId: 'STS.a', AccessKeySecret: 's', SecurityToken: 't', Expiration: expiration }
  return JSON.stringify({ RequestId: 'r', Credentials })
}
