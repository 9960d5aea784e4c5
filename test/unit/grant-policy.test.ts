import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type GrantScope,
  grantPolicy,
  grantPolicyText,
  MAX_POLICY_CHARACTERS,
  ScopeRefused,
} from '../../server/grants/grant-policy.ts'
import { sessionName } from '../../server/grants/session-name.ts'
import { seededRandom } from '../../server/local-cloud/seeded-random.ts'
import { keySegment, objectKey } from '../../server/uploads/object-key.ts'

/* The policy of vended credentials is read here as RAM's documentation says, by code that shares nothing with the product or the local
 * cloud. Where the documentation leaves room, it is read in the way that allows more: a star also runs over `:` and `/`. */

interface Statement {
  Effect: string
  Action: readonly string[]
  Resource: readonly string[]
}

function matches(pattern: string, text: string): boolean {
  const source = [...pattern].map((sign) => {
    if (sign === '*') return '[\\s\\S]*'
    return sign === '?' ? '[\\s\\S]' : `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`
  })
  return new RegExp(`^${source.join('')}$`, 'u').test(text)
}

function allows(policyText: string, action: string, bucket: string, key: string | null): boolean {
  const { Statement } = JSON.parse(policyText) as { Statement: Statement[] }
  const resource = `acs:oss:oss-cn-hangzhou:1000000000000000:${key === null ? bucket : `${bucket}/${key}`}`
  const applying = Statement.filter(
    (statement) =>
      statement.Action.some((pattern) => matches(pattern, action)) &&
      statement.Resource.some((pattern) => matches(pattern, resource)),
  )
  return applying.length > 0 && applying.every(({ Effect }) => Effect === 'Allow')
}

// Every action OSS's "RAM Policy overview" names for objects and buckets, and the service.
const every =
  `PutObject GetObject DeleteObject ListParts AbortMultipartUpload PutObjectAcl GetObjectAcl PutObjectTagging GetObjectTagging
  DeleteObjectTagging RestoreObject GetObjectVersion DeleteObjectVersion PutObjectVersionAcl GetObjectVersionAcl ListObjects ListObjectVersions
  ListMultipartUploads PutBucket DeleteBucket ListBuckets GetBucketInfo GetBucketLocation GetBucketAcl PutBucketAcl GetBucketCors PutBucketCors
  DeleteBucketCors GetBucketLifecycle PutBucketLifecycle DeleteBucketLifecycle PutBucketPolicy GetBucketPolicy PutBucketVersioning
  PublishRtmpStream PutBucketLogging PostProcessTask ProcessImm`
    .split(/\s+/)
    .map((name) => `oss:${name}`)
const wanted = ['oss:PutObject', 'oss:ListParts', 'oss:AbortMultipartUpload']
const bucket = 'examplebucket'
const prefix = 'uploads/'

type BuildText = (scope: GrantScope) => string

/** What must hold of any builder; throws where it does not. The product's is asked below, and so is each mutation of it. */
function judge(build: BuildText, ownKey: string, foreignKeys: readonly string[]): void {
  const own = build({ kind: 'object', bucket, key: ownKey })
  expect(every.filter((action) => allows(own, action, bucket, ownKey))).toEqual(wanted)
  for (const key of foreignKeys) {
    for (const action of wanted) expect([key, action, allows(own, action, bucket, key)]).toEqual([key, action, false])
  }
  for (const other of [`${bucket}2`, 'other', bucket.slice(0, -1)]) {
    expect(every.filter((action) => allows(own, action, other, ownKey))).toEqual([])
  }
  // A star that reaches over colons takes the rest of another ARN for region and owner.
  for (const stray of [`x:${bucket}/${ownKey}`, `:${bucket}/${ownKey}`, `a/b:c/d:${bucket}/${ownKey}`]) {
    for (const place of ['other', bucket])
      expect([stray, allows(own, 'oss:PutObject', place, stray)]).toEqual([stray, false])
  }
  expect(every.filter((action) => allows(own, action, bucket, null))).toEqual([])
  expect(allows(own, 'sts:AssumeRole', bucket, ownKey)).toBe(false)
}

function judgeDirect(build: BuildText): void {
  const own = build({ kind: 'prefix', bucket, prefix: 'direct/acme/bob/' })
  expect(every.filter((action) => allows(own, action, bucket, 'direct/acme/bob/a/b'))).toEqual(wanted)
  const others = [
    'direct/acme/bobby/a',
    'direct/acme/bo',
    'direct/acme/bob',
    'direct/acm/bob/a',
    'uploads/acme/bob/a',
    'x',
    `x:${bucket}/direct/acme/bob/a`,
    `direct/acme/x/:${bucket}/direct/acme/bob/a`,
  ]
  for (const key of others) expect([key, allows(own, 'oss:PutObject', bucket, key)]).toEqual([key, false])
}

/** Keys that are close to `key` without being it. */
function neighboursOf(key: string): string[] {
  const cut = [...key]
  return [
    cut.slice(0, -1).join(''),
    `${key}x`,
    `${key}/x`,
    `${key}*`,
    `x${key}`,
    `/${key}`,
    key.slice(0, key.lastIndexOf('/') + 1),
    key.replace(prefix, 'direct/'),
    key.toUpperCase() === key ? key.toLowerCase() : key.toUpperCase(),
    encodeURIComponent(key),
  ].filter((other) => other !== key)
}

// Names as people and attackers choose them: short ones meet often, and every wildcard and separator turns up.
const hostile = fc.oneof(
  fc.constantFrom(
    '*',
    '?',
    '$',
    '${acs:UserName}',
    '*/*',
    '..',
    '.',
    '/',
    '\\',
    '~',
    'a',
    'b',
    'ab',
    'a/b',
    'a*',
    '%2A',
    '"',
    ':',
  ),
  fc.string({ unit: fc.constantFrom(...'ab*?$/\\{}.:~-_%"\' ,é漢😀'), minLength: 1, maxLength: 6 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('*', '?', 'x'), minLength: 60, maxLength: 260 }),
)
const owner = fc.record({
  tenant: hostile,
  subject: hostile,
  fileName: hostile,
  random: fc.stringMatching(/^[0-9a-f]{32}$/),
})

describe('100,000 random pairs of (tenant, subject, name) and another’s key', () => {
  // Drawn by fast-check a few hundred at a time, and all paired: 320 × 319 pairs.
  const owners = fc.sample(owner, { numRuns: 320, seed: 20_261_122 })
  const keys = owners.map(({ tenant, fileName, random }) => objectKey(prefix, tenant, random, fileName))

  it('none is allowed, for any action on any object but the own one', () => {
    const seen = { pairs: 0, own: 0 }
    for (const own of keys) {
      const policy = grantPolicyText({ kind: 'object', bucket, key: own })
      for (const foreign of keys) {
        const isAllowed = allows(policy, 'oss:PutObject', bucket, foreign)
        if (foreign === own) {
          expect(isAllowed).toBe(true)
          seen.own++
        } else {
          if (isAllowed) throw new Error(`the policy for ${own} allows ${foreign}`)
          seen.pairs++
        }
      }
    }
    expect(seen.pairs).toBeGreaterThan(100_000)
    expect(seen.own).toBeGreaterThanOrEqual(320)
  })

  it('none is allowed to direct credentials of another tenant or subject', () => {
    const folders = owners.map(({ tenant, subject }) => `direct/${keySegment(tenant)}/${keySegment(subject)}/`)
    let pairs = 0
    for (const own of new Set(folders)) {
      const policy = grantPolicyText({ kind: 'prefix', bucket, prefix: own })
      for (const folder of folders) {
        const isAllowed = allows(policy, 'oss:PutObject', bucket, `${folder}a/file.bin`)
        if (isAllowed !== (folder === own)) throw new Error(`the policy for ${own} and ${folder}: ${isAllowed}`)
        pairs++
      }
    }
    expect(pairs).toBeGreaterThan(50_000)
  })

  it('nor any key close to the own one, nor any other action', () => {
    for (const key of keys.slice(0, 60)) judge(grantPolicyText, key, neighboursOf(key))
  })
})

describe('the policy', () => {
  it('is this, to the letter', () => {
    expect(grantPolicy({ kind: 'object', bucket, key: 'uploads/acme/0f/film "1".mp4' })).toEqual({
      Version: '1',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['oss:PutObject', 'oss:ListParts', 'oss:AbortMultipartUpload'],
          Resource: ['acs:oss:*:*:examplebucket/uploads/acme/0f/film "1".mp4'],
        },
        { Effect: 'Deny', Action: ['oss:*'], Resource: ['acs:oss:*:*:*/*:examplebucket/*'] },
      ],
    })
    judgeDirect(grantPolicyText)
  })

  it('is JSON that means the same whatever stands in the key', () => {
    fc.assert(
      fc.property(hostile, hostile, (tenant, fileName) => {
        const key = objectKey(prefix, tenant, 'f'.repeat(32), fileName)
        const policy = JSON.parse(grantPolicyText({ kind: 'object', bucket, key })) as { Statement: Statement[] }
        expect(policy.Statement).toHaveLength(2)
        expect(policy.Statement[0]?.Resource).toEqual([`acs:oss:*:*:${bucket}/${key}`])
      }),
    )
  })

  it('fits into 2,048 characters for every key that can be made', () => {
    const longest = objectKey(`${'p'.repeat(199)}/`, 'x'.repeat(65), 'f'.repeat(32), `${'"'.repeat(1000)}.txt`)
    expect(grantPolicyText({ kind: 'object', bucket: 'b'.repeat(63), key: longest }).length).toBeLessThan(1024)
  })

  it('is refused above 2,048 characters, and not below', () => {
    const lengthWith = (length: number) => grantPolicyText({ kind: 'object', bucket, key: 'k'.repeat(length) }).length
    const room = MAX_POLICY_CHARACTERS - lengthWith(1) + 1
    expect(lengthWith(room)).toBe(2048)
    expect(() => lengthWith(room + 1)).toThrow(ScopeRefused)
    // Counted as JSON writes it: a quote takes two characters.
    expect(() => grantPolicyText({ kind: 'object', bucket, key: '"'.repeat(1000) })).toThrow(ScopeRefused)
  })

  it.each([
    'a*',
    '*',
    'a?b',
    '${acs:UserName}',
    'a$b',
    '',
    '/a',
    '\\a',
    'a\u0000b',
    'a\nb',
    'a\u007fb',
    'a\u0085b',
    'a\ud800b',
    'a\udc00',
    `a/b:${bucket}/c`,
  ])('is refused for the key %j', (key) => {
    expect(() => grantPolicy({ kind: 'object', bucket, key })).toThrow(ScopeRefused)
    expect(() => grantPolicy({ kind: 'prefix', bucket, prefix: `${key}/` })).toThrow(ScopeRefused)
  })

  it.each(['', '/', 'direct', 'direct/bob', 'direct//', '//'])('is refused for the prefix %j', (path) => {
    expect(() => grantPolicy({ kind: 'prefix', bucket, prefix: path })).toThrow(ScopeRefused)
  })

  it.each(['', '*', 'a*', 'b', 'bucket/uploads', 'Bucket', 'b:x', 'bucket\n'])(
    'is refused for the bucket %j',
    (name) => {
      expect(() => grantPolicy({ kind: 'object', bucket: name, key: 'a' })).toThrow(ScopeRefused)
    },
  )
})

describe('a mutated builder', () => {
  type Document = { Version: string; Statement: Statement[] }
  const mutated =
    (mutate: (statement: Statement, scope: GrantScope) => Statement[], effect = 'Allow'): BuildText =>
    (scope) => {
      const { Version, Statement } = grantPolicy(scope) as Document
      const mutant = Statement.flatMap((one) => (one.Effect === effect ? mutate(one, scope) : [one]))
      return JSON.stringify({ Version, Statement: mutant })
    }
  const resource = (change: (arn: string) => string) =>
    mutated((statement) => [{ ...statement, Resource: statement.Resource.map(change) }])
  const actions = (change: (names: readonly string[]) => readonly string[]) =>
    mutated((statement) => [{ ...statement, Action: change(statement.Action) }])

  const mutations: Record<string, BuildText> = {
    'drops the statement': mutated(() => []),
    'drops the denial of stray keys': mutated(() => [], 'Deny'),
    'denies too little': mutated((statement) => [{ ...statement, Action: ['oss:GetObject'] }], 'Deny'),
    'denies too few keys': mutated(
      (statement) => [{ ...statement, Resource: [`acs:oss:*:*:${bucket}/*:${bucket}/*`] }],
      'Deny',
    ),
    'denies too many keys': mutated(
      (statement) => [{ ...statement, Resource: [`acs:oss:*:*:*:${bucket}/*`, `acs:oss:*:*:*/*`] }],
      'Deny',
    ),
    'drops PutObject': actions((names) => names.filter((name) => name !== 'oss:PutObject')),
    'drops ListParts': actions((names) => names.filter((name) => name !== 'oss:ListParts')),
    'drops AbortMultipartUpload': actions((names) => names.filter((name) => name !== 'oss:AbortMultipartUpload')),
    'adds GetObject': actions((names) => [...names, 'oss:GetObject']),
    'adds DeleteObject': actions((names) => [...names, 'oss:DeleteObject']),
    'adds ListMultipartUploads': actions((names) => [...names, 'oss:ListMultipartUploads']),
    'adds PutObjectAcl': actions((names) => [...names, 'oss:PutObjectAcl']),
    'writes PutObject*': actions((names) => names.map((name) => name.replace('PutObject', 'PutObject*'))),
    'allows every action': actions(() => ['oss:*']),
    'allows really every action': actions(() => ['*']),
    'widens to everything': resource(() => '*'),
    'widens to the bucket': resource((arn) => arn.replace(/\/.*/s, '/*')),
    'widens to the folder': resource((arn) => arn.replace(/[^/]*$/, '*')),
    'widens to longer keys': resource((arn) => `${arn}*`),
    'widens to everything below the key': mutated((statement) => [
      { ...statement, Resource: statement.Resource.flatMap((arn) => [arn, `${arn}/*`]) },
    ]),
    'widens to other buckets': resource((arn) => arn.replace(bucket, '*')),
    'widens to buckets of a longer name': resource((arn) => arn.replace(bucket, `${bucket}*`)),
    'forgets the last sign of the key': resource((arn) => `${[...arn].slice(0, -1).join('')}?`),
    'names the bucket as well': mutated((statement) => [
      { ...statement, Resource: [...statement.Resource, `acs:oss:*:*:${bucket}`] },
    ]),
    'names another object': resource((arn) => `${arn}x`),
    'denies in place of allowing': mutated((statement) => [{ ...statement, Effect: 'Deny' }]),
    'adds a statement for the bucket': mutated((statement) => [
      statement,
      { Effect: 'Allow', Action: ['oss:ListObjects'], Resource: [`acs:oss:*:*:${bucket}`] },
    ]),
    'adds a statement for everything': mutated((statement) => [
      statement,
      { Effect: 'Allow', Action: ['oss:PutObject'], Resource: ['*'] },
    ]),
    'forgets the slash of a prefix': mutated((statement, scope) => [
      {
        ...statement,
        Resource: statement.Resource.map((arn) => (scope.kind === 'prefix' ? arn.replace(/\/\*$/, '*') : arn)),
      },
    ]),
    'takes the prefix for an object': mutated((statement, scope) => [
      {
        ...statement,
        Resource: statement.Resource.map((arn) => (scope.kind === 'prefix' ? arn.replace(/\*$/, '') : arn)),
      },
    ]),
  }
  const key = objectKey(prefix, 'acme', 'f'.repeat(32), 'film.mp4')
  const foreign = [...neighboursOf(key), objectKey(prefix, 'acme', 'e'.repeat(32), 'film.mp4'), 'uploads/x']
  const judgeAll = (build: BuildText) => {
    judge(build, key, foreign)
    judgeDirect(build)
  }

  it('is found wanting by what the builder itself passes', () => {
    judgeAll(grantPolicyText)
  })

  it.each(Object.keys(mutations))('that %s is caught', (name) => {
    const build = mutations[name]
    expect(build).toBeDefined()
    if (build) expect(() => judgeAll(build)).toThrow(/expected/)
  })
})

describe('the session name', () => {
  it.each([
    ['acme', 'alice', 'acme@alice'],
    ['a', 'b', 'a@b'],
    ['acme', 'alice@example.com', /^acme@@[0-9a-f]{30}$/],
    ['漢', 'x'.repeat(32), /^@[0-9a-f]{30}@@[0-9a-f]{30}$/],
    ['x'.repeat(31), 'y'.repeat(31), `${'x'.repeat(31)}@${'y'.repeat(31)}`],
  ])('of %s and %s is as STS takes it', (tenant, subject, name) => {
    expect(sessionName(tenant, subject)).toMatch(name)
  })

  it('is of 3 to 63 allowed characters, and another for every other pair', () => {
    const random = seededRandom(5)
    const pool = ['a', 'b', '@', 'a@b', '@a', 'a.', '-', '~', 'é', 'x'.repeat(31), 'x'.repeat(32), 'x'.repeat(33)]
    const pick = () => pool[Math.floor(random() * pool.length)] ?? ''
    const byName = new Map<string, string>()
    for (let round = 0; round < 20_000; round++) {
      const pair = [pick() + pick(), pick() + pick()] as const
      const name = sessionName(...pair)
      expect(name).toMatch(/^[A-Za-z0-9.@_-]{3,63}$/)
      expect(byName.get(name) ?? JSON.stringify(pair)).toBe(JSON.stringify(pair))
      byName.set(name, JSON.stringify(pair))
    }
    expect(byName.size).toBeGreaterThan(5_000)
  })
})
