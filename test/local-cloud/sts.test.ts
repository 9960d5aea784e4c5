import Core from '@alicloud/pop-core'
import OSS from 'ali-oss'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { rpcSignature, rpcStringToSign } from '../../server/local-cloud/sts-signature.ts'
import {
  ROOT_KEY,
  SERVER_KEY,
  startTestCloud,
  TEST_BUCKET,
  TEST_ROLE_ARN,
  TEST_ROLE_POLICY,
  TEST_SERVER_POLICY,
  type TestCloud,
} from '../support/local-cloud.ts'
import { send } from './send.ts'
import { KEY } from './vectors-v4.ts'

const OTHER_ROLE_ARN = 'acs:ram::1000000000000000:role/somebody-elses'
const READER_KEY = { accessKeyId: 'LTAI-test-reader', accessKeySecret: 'test-reader-secret' }

let cloud: TestCloud
let clockMs: number

beforeEach(async () => {
  clockMs = Date.now()
  cloud = await startTestCloud({
    now: () => new Date(clockMs),
    users: [
      { ...SERVER_KEY, userName: 'partway-server', policy: TEST_SERVER_POLICY },
      {
        ...READER_KEY,
        userName: 'reader',
        policy: { Version: '1', Statement: [{ Effect: 'Allow', Action: 'oss:GetObject', Resource: '*' }] },
      },
    ],
    roles: [
      {
        arn: TEST_ROLE_ARN,
        policy: TEST_ROLE_POLICY,
        trusted: ['acs:ram::1000000000000000:root'],
        maxSessionSeconds: 7200,
      },
      { arn: OTHER_ROLE_ARN, policy: TEST_ROLE_POLICY, trusted: ['somebody-else'] },
    ],
  })
})
afterEach(() => cloud.cleanUp())

interface Credentials {
  AccessKeyId: string
  AccessKeySecret: string
  SecurityToken: string
  Expiration: string
}

interface Assumed {
  RequestId: string
  AssumedRoleUser: { Arn: string; AssumedRoleId: string }
  Credentials: Credentials
}

function assume(params: object = {}, key: object = SERVER_KEY, method = 'POST'): Promise<Assumed> {
  const client = new Core({ ...(key as typeof SERVER_KEY), endpoint: cloud.stsUrl, apiVersion: '2015-04-01' })
  const request = { RoleArn: TEST_ROLE_ARN, RoleSessionName: 'upload-u42', ...params }
  return client.request('AssumeRole', request, { method })
}

const policyFor = (action: string | string[], resource: string) =>
  JSON.stringify({ Version: '1', Statement: [{ Effect: 'Allow', Action: action, Resource: [resource] }] })

const signer = ({ Credentials: c }: Assumed) => ({
  accessKeyId: c.AccessKeyId,
  accessKeySecret: c.AccessKeySecret,
  securityToken: c.SecurityToken,
})

describe('AssumeRole', () => {
  it.each(['GET', 'POST'])('mints credentials for the official RPC client by %s', async (method) => {
    const assumed = await assume({ DurationSeconds: 900 }, SERVER_KEY, method)
    expect(assumed.AssumedRoleUser.Arn).toBe(`${TEST_ROLE_ARN}/upload-u42`)
    expect(assumed.AssumedRoleUser.AssumedRoleId).toMatch(/^\d{18}:upload-u42$/)
    expect(assumed.Credentials.AccessKeyId).toMatch(/^STS\./)
    expect(Date.parse(assumed.Credentials.Expiration)).toBe((Math.floor(clockMs / 1000) + 900) * 1000)
    expect(cloud.requests.count('AssumeRole')).toBe(1)
  })

  it('makes a different key each time', async () => {
    const [one, two] = await Promise.all([assume(), assume()])
    expect(one.Credentials.AccessKeyId).not.toBe(two.Credentials.AccessKeyId)
  })

  it.each([
    ['a short duration', { DurationSeconds: 899 }, 'InvalidParameter.DurationSeconds'],
    ['a duration past the role', { DurationSeconds: 7201 }, 'InvalidParameter.DurationSeconds'],
    ['a duration that is no number', { DurationSeconds: '9e2' }, 'InvalidParameter.DurationSeconds'],
    ['a session name of one letter', { RoleSessionName: 'a' }, 'InvalidParameter.RoleSessionName'],
    ['a session name with a space', { RoleSessionName: 'a b' }, 'InvalidParameter.RoleSessionName'],
    ['an ARN that is none', { RoleArn: 'role/a' }, 'InvalidParameter.RoleArn'],
    ['a policy that is no JSON', { Policy: '{' }, 'InvalidParameter.PolicyGrammar'],
    ['a policy of another version', { Policy: '{"Version":"2","Statement":[]}' }, 'InvalidParameter.PolicyGrammar'],
    ['a policy of 2049 characters', { Policy: ' '.repeat(2049) }, 'InvalidParameter.PolicySize'],
    ['an unknown role', { RoleArn: `${TEST_ROLE_ARN}x` }, 'EntityNotExist.Role'],
    ['a role that trusts others', { RoleArn: OTHER_ROLE_ARN }, 'NoPermission'],
  ])('refuses %s', async (_, params, code) => {
    await expect(assume(params)).rejects.toMatchObject({ code, data: { Code: code, RequestId: expect.any(String) } })
  })

  it.each([
    ['the root key', ROOT_KEY, 'NoPermission'],
    ['a user without the right', READER_KEY, 'NoPermission'],
    ['an unknown key', { ...SERVER_KEY, accessKeyId: 'LTAI-nobody' }, 'InvalidAccessKeyId.NotFound'],
    ['a wrong secret', { ...SERVER_KEY, accessKeySecret: 'wrong' }, 'SignatureDoesNotMatch'],
    [
      'a temporary key without its token',
      { ...SERVER_KEY, accessKeyId: 'STS.abcdefghijklmnopqrstuvwx' },
      'MissingSecurityToken',
    ],
  ])('refuses %s', async (_, key, code) => {
    await expect(assume({}, key)).rejects.toMatchObject({ code })
  })

  it('refuses a nonce used before, and a timestamp 16 minutes off', async () => {
    const params = signedParams({})
    const statusOf = async (query: string) => {
      const response = await fetch(`${cloud.stsUrl}/?${query}`)
      return [response.status, ((await response.json()) as { Code?: string }).Code]
    }
    expect(await statusOf(params)).toEqual([200, undefined])
    expect(await statusOf(params)).toEqual([400, 'SignatureNonceUsed'])
    const late = signedParams({ Timestamp: new Date(clockMs - 16 * 60_000).toISOString() })
    expect(await statusOf(late)).toEqual([400, 'InvalidTimeStamp.Expired'])
    expect(await statusOf(signedParams({ Timestamp: 'yesterday' }))).toEqual([400, 'InvalidTimeStamp.Format'])
    expect(await statusOf(signedParams({ Action: 'GetCallerIdentity' }))).toEqual([404, 'InvalidAction.NotFound'])
    expect(await statusOf(signedParams({ Version: '2014-01-01' }))).toEqual([400, 'InvalidVersion'])
    expect(await statusOf('Action=AssumeRole&Version=2015-04-01')).toEqual([400, 'MissingParameter.AccessKeyId'])
    expect(await statusOf('%00=%zz&&=')).toEqual([400, 'MissingParameter.Action'])
  })

  it('survives a body past all limits', async () => {
    const response = await fetch(cloud.stsUrl, { method: 'POST', body: 'a'.repeat(1_000_000) }).catch(() => null)
    expect([413, undefined]).toContain(response?.status)
    await expect(assume()).resolves.toBeDefined()
  })

  it('reproduces the known RPC signatures', () => {
    const params = new Map(Object.entries(KNOWN_PARAMS))
    expect(rpcStringToSign('POST', params)).toBe(KNOWN_STRING_TO_SIGN)
    expect(rpcSignature(KEY.accessKeySecret, rpcStringToSign('POST', params))).toBe('gpYPIweIYvp+WvXC/8ZJJWpcB3s=')
    expect(rpcSignature(KEY.accessKeySecret, rpcStringToSign('GET', params))).toBe('IypAcLBY5fm9s1T6UJVJVrPIDPk=')
  })

  it('can be throttled and cut off by a fault rule', async () => {
    cloud.faults.add({
      match: { verb: 'AssumeRole' },
      times: 1,
      effect: { kind: 'answer', status: 400, code: 'Throttling.User' },
    })
    await expect(assume()).rejects.toMatchObject({ code: 'Throttling.User' })
    cloud.faults.add({ match: { verb: 'AssumeRole' }, times: 1, effect: { kind: 'cut', at: 'start' } })
    await expect(assume()).rejects.toThrow()
    await expect(assume()).resolves.toBeDefined()
  })
})

describe('temporary credentials', () => {
  const put = (credentials: object, key: string) =>
    send(cloud.ossUrl, {
      method: 'PUT',
      key,
      body: 'x',
      credentials: credentials as typeof SERVER_KEY,
      now: new Date(clockMs),
    })

  it('may do what the role and the session policy both allow', async () => {
    const all = signer(await assume())
    expect((await put(all, 'anything')).status).toBe(200)
    const narrow = signer(await assume({ Policy: policyFor('oss:*', `acs:oss:*:*:${TEST_BUCKET}/uploads/u42/*`) }))
    expect((await put(narrow, 'uploads/u42/a')).status).toBe(200)
    const outside = await put(narrow, 'uploads/u43/a')
    expect(outside.error).toMatchObject({ code: 'AccessDenied', message: "Access denied by authorizer's policy." })
    expect(outside.text).toContain('<AuthAction>oss:PutObject</AuthAction>')
    expect(outside.text).toContain('<AuthPrincipalType>AssumedRoleUser</AuthPrincipalType>')
    const remove = await send(cloud.ossUrl, {
      method: 'DELETE',
      key: 'uploads/u42/a',
      credentials: narrow,
      now: new Date(clockMs),
    })
    expect(remove.status).toBe(403)
  })

  it('are obeyed to the explicit deny', async () => {
    const policy = JSON.stringify({
      Version: '1',
      Statement: [
        { Effect: 'Allow', Action: 'oss:*', Resource: '*' },
        { Effect: 'Deny', Action: 'oss:PutObject', Resource: `acs:oss:*:*:${TEST_BUCKET}/secret/?` },
      ],
    })
    const credentials = signer(await assume({ Policy: policy }))
    expect((await put(credentials, 'secret/ab')).status).toBe(200)
    expect((await put(credentials, 'secret/a')).error).toMatchObject({ code: 'AccessDenied', ec: '0003-00000201' })
  })

  it('outlive a restart, and die on time', async () => {
    const credentials = signer(await assume({ DurationSeconds: 900 }))
    cloud = await cloud.restart()
    clockMs += 899_000
    expect((await put(credentials, 'k')).status).toBe(200)
    clockMs += 2_000
    expect((await put(credentials, 'k')).error).toMatchObject({ code: 'SecurityTokenExpired', ec: '0002-00000007' })
  })

  it('are refused without token, with another token, and with a forged one', async () => {
    const one = signer(await assume())
    const two = signer(await assume())
    const { securityToken, ...tokenless } = one
    expect((await put(tokenless, 'k')).error.code).toBe('InvalidAccessKeyId')
    const mixed = await put({ ...one, securityToken: two.securityToken }, 'k')
    expect(mixed.error).toMatchObject({ code: 'InvalidSecurityToken', ec: '0002-00000004' })
    const forged = `${securityToken.slice(0, -6)}${securityToken.slice(-6) === 'AAAAAA' ? 'BBBBBB' : 'AAAAAA'}`
    expect((await put({ ...one, securityToken: forged }, 'k')).error).toMatchObject({ ec: '0002-00000006' })
    const unknown = await put({ ...one, accessKeyId: 'STS.abcdefghijklmnopqrstuvwx' }, 'k')
    expect(unknown.error).toMatchObject({ code: 'InvalidAccessKeyId', ec: '0002-00000002' })
    expect((await put({ ...SERVER_KEY, securityToken }, 'k')).error).toMatchObject({ ec: '0002-00000002' })
  })

  it.each([true, false])('work in the official client with authorizationV4 %s', async (authorizationV4) => {
    const { AccessKeyId, AccessKeySecret, SecurityToken } = (await assume()).Credentials
    const client = new OSS({
      region: 'oss-cn-hangzhou',
      endpoint: cloud.ossUrl.replace('127.0.0.1', 'localhost'),
      bucket: TEST_BUCKET,
      accessKeyId: AccessKeyId,
      accessKeySecret: AccessKeySecret,
      stsToken: SecurityToken,
      authorizationV4,
      sldEnable: true,
    } as OSS.Options)
    const content = Buffer.alloc(250_000, 5)
    await client.multipartUpload('by-token.bin', content, { partSize: 102_400 })
    expect((await client.get('by-token.bin')).content).toEqual(content)
    await expect(client.listUploads({ 'max-uploads': 1 }, {})).rejects.toMatchObject({ code: 'AccessDenied' })
  })
})

function signedParams(changed: Record<string, string>): string {
  const params = new Map(
    Object.entries({
      ...KNOWN_PARAMS,
      AccessKeyId: SERVER_KEY.accessKeyId,
      RoleArn: TEST_ROLE_ARN,
      Timestamp: new Date(clockMs).toISOString(),
      ...changed,
    }),
  )
  if (Object.keys(changed).length > 0) params.set('SignatureNonce', JSON.stringify(changed))
  params.set('Signature', rpcSignature(SERVER_KEY.accessKeySecret, rpcStringToSign('GET', params)))
  return new URLSearchParams([...params]).toString()
}

const KNOWN_PARAMS = {
  AccessKeyId: KEY.accessKeyId,
  Action: 'AssumeRole',
  DurationSeconds: '900',
  Format: 'JSON',
  Policy:
    '{"Version":"1","Statement":[{"Effect":"Allow","Action":["oss:PutObject"],"Resource":["acs:oss:*:*:examplebucket/uploads/u42/*"]}]}',
  RoleArn: 'acs:ram::1234567890123456:role/oss-uploader',
  RoleSessionName: 'upload-u42',
  SignatureMethod: 'HMAC-SHA1',
  SignatureNonce: '3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf',
  SignatureVersion: '1.0',
  Timestamp: '2025-01-15T08:30:00Z',
  Version: '2015-04-01',
}

const KNOWN_STRING_TO_SIGN =
  'POST&%2F&AccessKeyId%3DLTAI-example%26Action%3DAssumeRole%26DurationSeconds%3D900%26Format%3DJSON%26Policy%3D%257B%2522Version%2522%253A%25221%2522%252C%2522Statement%2522%253A%255B%257B%2522Effect%2522%253A%2522Allow%2522%252C%2522Action%2522%253A%255B%2522oss%253APutObject%2522%255D%252C%2522Resource%2522%253A%255B%2522acs%253Aoss%253A%252A%253A%252A%253Aexamplebucket%252Fuploads%252Fu42%252F%252A%2522%255D%257D%255D%257D%26RoleArn%3Dacs%253Aram%253A%253A1234567890123456%253Arole%252Foss-uploader%26RoleSessionName%3Dupload-u42%26SignatureMethod%3DHMAC-SHA1%26SignatureNonce%3D3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf%26SignatureVersion%3D1.0%26Timestamp%3D2025-01-15T08%253A30%253A00Z%26Version%3D2015-04-01'
