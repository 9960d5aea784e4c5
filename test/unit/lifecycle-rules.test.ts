import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import {
  judgeLifecycle,
  lifecycleComplaint,
  OWN_DIRECT_RULE_ID,
  OWN_RULE_ID,
  ownRule,
  readAbortRules,
} from '../../server/oss/lifecycle-rules.ts'
import { mergeLifecycle, mergeLifecycles } from '../../server/oss/merge-lifecycle.ts'
import { uploadPlaces } from '../../server/upload-places.ts'
import '../support/fixed-seed.ts'

const place = { keyPrefix: 'uploads/', ttlSeconds: 7 * 86_400 }
const document = (...rules: string[]) =>
  `<?xml version="1.0"?>\n<LifecycleConfiguration>${rules.join('\n')}</LifecycleConfiguration>`
const abort = (prefix: string, days: number, change: { id?: string; status?: string; more?: string } = {}) =>
  `<Rule><ID>${change.id ?? 'theirs'}</ID><Prefix>${prefix}</Prefix><Status>${change.status ?? 'Enabled'}</Status>${change.more ?? ''}<AbortMultipartUpload><Days>${days}</Days></AbortMultipartUpload></Rule>`
const expire = (id: string) =>
  `<Rule>\n  <ID>${id}</ID><Prefix>logs/</Prefix><Status>Enabled</Status><Filter><Not><Prefix>logs/keep</Prefix></Not></Filter><Expiration><Days>30</Days></Expiration></Rule>`
const judge = (xml: string | null) => judgeLifecycle(readAbortRules(xml), place)
const complaintOf = (xml: string | null) => lifecycleComplaint(judge(xml), place)

describe('the lifecycle of the bucket', () => {
  it.each([
    ['with exactly the days that uploads live', abort('uploads/', 7)],
    ['for the whole bucket', abort('', 30)],
    ['for a prefix above', abort('up', 8)],
    ['among others', expire('a') + abort('uploads/', 9) + expire('b')],
    ['that Partway made', ownRule(place)],
  ])('is well with a rule %s', (_, rule) => {
    expect(judge(document(rule)).verdict).toBe('covered')
    expect(complaintOf(document(rule))).toBeNull()
    expect(mergeLifecycle(document(rule), place)).toBe(document(rule))
  })

  it.each([
    ['is not there at all', null],
    ['has no rule', '<LifecycleConfiguration/>'],
    ['has rules for other things only', document(expire('a'))],
    ['has a rule for another prefix', document(abort('videos/', 9))],
    ['has a rule that is switched off', document(abort('uploads/', 9, { status: 'Disabled' }))],
    ['has a rule for a part of the prefix', document(abort('uploads/acme/', 9))],
    [
      'has a rule for some tags only',
      document(abort('uploads/', 9, { more: '<Tag><Key>a</Key><Value>b</Value></Tag>' })),
    ],
    [
      'has a rule by a date, which has no effect on what comes after it',
      document(
        abort('uploads/', 9).replace(
          '<Days>9</Days>',
          '<CreatedBeforeDate>2030-01-01T00:00:00.000Z</CreatedBeforeDate>',
        ),
      ),
    ],
  ])('lacks a rule when it %s', (_, xml) => {
    expect(judge(xml).verdict).toBe('missing')
    expect(complaintOf(xml)).toContain('uploads/')
  })

  it('is too short when any rule for the prefix ends uploads that may still go on', () => {
    expect(judge(document(abort('uploads/', 6)))).toMatchObject({ verdict: 'too-short', neededDays: 7 })
    expect(judge(document(abort('', 9, { id: 'a' }), abort('uploads/', 3, { id: 'b' })))).toMatchObject({
      rule: { id: 'b' },
    })
    expect(complaintOf(document(abort('', 3)))).toContain('after 3 days')
  })

  it('is not read from anything else', () => {
    expect(() => readAbortRules('<CORSConfiguration/>')).toThrow()
  })
})

describe('the places of uploads', () => {
  const config = loadConfig({ UPLOAD_TTL_SECONDS: '172800', STALE_AFTER_SECONDS: '3600', DIRECT_PREFIX: 'in/' })

  it('are two, or one where no credentials are vended', () => {
    expect(uploadPlaces(config)).toEqual([
      { keyPrefix: 'uploads/', ttlSeconds: 172_800 },
      { keyPrefix: 'in/', ttlSeconds: 172_800, isDirect: true },
    ])
    expect(uploadPlaces({ ...config, sts: { ...config.sts, roleArn: null } })).toHaveLength(1)
  })

  it('get a rule each, known apart, and each mends its own only', () => {
    const places = uploadPlaces(config)
    const merged = mergeLifecycles(document(expire('a')), places) ?? ''
    expect(readAbortRules(merged).map(({ id, prefix, days }) => [id, prefix, days])).toEqual([
      [OWN_RULE_ID, 'uploads/', 4],
      [OWN_DIRECT_RULE_ID, 'in/', 4],
    ])
    expect(merged).toContain(expire('a'))
    expect(mergeLifecycles(merged, places)).toBe(merged)
    const longer = mergeLifecycles(merged, [{ keyPrefix: 'uploads/', ttlSeconds: 864_000 }]) ?? ''
    expect(readAbortRules(longer).map(({ id, days }) => [id, days])).toEqual([
      [OWN_DIRECT_RULE_ID, 4],
      [OWN_RULE_ID, 12],
    ])
    expect(mergeLifecycles(document(abort('in/', 1, { status: 'Disabled' })), places)).toBeNull()
  })

  it('of direct uploads are well with any days: nothing of Partway knows how long those live', () => {
    const direct = { keyPrefix: 'in/', ttlSeconds: 30 * 86_400, isDirect: true }
    expect(judgeLifecycle(readAbortRules(document(abort('in/', 1))), direct).verdict).toBe('covered')
    const missing = judgeLifecycle([], direct)
    expect(lifecycleComplaint(missing, direct)).toContain('credentials:direct')
  })
})

describe('merging the rule', () => {
  it('keeps every other rule byte for byte, also what it does not understand', () => {
    const others = [
      expire('a'),
      abort('videos/', 1),
      '<Rule><ID>x</ID><Prefix>y</Prefix><Status>Enabled</Status><New a="1"/></Rule>',
    ]
    const merged = mergeLifecycle(document(...others), place) ?? ''
    for (const rule of others) expect(merged).toContain(rule)
    expect(judge(merged).verdict).toBe('covered')
  })

  it('leaves the rule of another Partway in the same bucket, and takes an id beside it', () => {
    const staging = { ...place, keyPrefix: 'staging/' }
    const both = mergeLifecycle(mergeLifecycle(document(expire('a')), staging), place) ?? ''
    expect(readAbortRules(both).map(({ id, prefix }) => [id, prefix])).toEqual([
      [OWN_RULE_ID, 'staging/'],
      [`${OWN_RULE_ID}-2`, 'uploads/'],
    ])
    const longer = mergeLifecycle(both, { ...place, ttlSeconds: 20 * 86_400 }) ?? ''
    expect(readAbortRules(longer).map(({ prefix, days }) => [prefix, days])).toEqual([
      ['staging/', 9],
      ['uploads/', 22],
    ])
  })

  it('leaves its own rule alone once somebody has given it more to do', () => {
    const own = ownRule({ ...place, ttlSeconds: 86_400 })
    const shared = own.replace('</Rule>', '<Expiration><Days>365</Days></Expiration></Rule>')
    expect(mergeLifecycle(document(shared), place)).toBeNull()
  })

  it('makes the document where there is none, and mends its own rule', () => {
    expect(judge(mergeLifecycle(null, place)).verdict).toBe('covered')
    expect(judge(mergeLifecycle('<LifecycleConfiguration/>', place)).verdict).toBe('covered')
    const former = ownRule({ ...place, ttlSeconds: 86_400 })
    const merged = mergeLifecycle(document(expire('a'), former), place) ?? ''
    expect(merged).toBe(document(`${expire('a')}\n`).replace('</Life', `${ownRule(place)}</Life`))
  })

  it.each([
    ['of fewer days', abort('uploads/', 3)],
    ['for a part of the prefix', abort('uploads/acme/', 9)],
    ['that is switched off', abort('', 9, { status: 'Disabled' })],
  ])('changes no rule of somebody else’s %s: OSS would take no other beside it', (_, rule) => {
    expect(mergeLifecycle(document(rule), place)).toBeNull()
  })

  const old = ownRule({ ...place, ttlSeconds: 86_400 })
  const staging = ownRule({ ...place, keyPrefix: 'staging/' })
  const ids = (xml: string | null) => (xml === null ? [] : readAbortRules(xml).map(({ id }) => id))

  it.each([
    ['a comment that looks like a rule', document(`<!-- ${old} -->`, old)],
    ['a comment that ends a rule early', document(expire('a').replace('<Prefix>', '<!-- </Rule> --><Prefix>'), old)],
    ['a comment after the end', `${document(old)}<!-- </LifecycleConfiguration> -->`],
    ['a comment in our rule', document(old.replace('<Prefix>', '<!-- 2026 --><Prefix>'))],
    ['CDATA around what our id is', document(old.replace(OWN_RULE_ID, `<![CDATA[${OWN_RULE_ID}]]>`))],
    ['CDATA that looks like a rule', document(expire(`<![CDATA[${old}]]>`))],
    ['an empty rule before ours', document('<Rule/>', old)],
    ['an empty rule with a blank', document(expire('a'), '<Rule />', old, expire('b'))],
    ['a rule within another element', document(`<Rules>${abort('videos/', 3)}</Rules>`)],
    ['entities of its own', `<!DOCTYPE x [<!ENTITY r "a">]>${document(expire('&r;'))}`],
  ])('is refused where a document is not plainly its rules: %s', (_, xml) => {
    expect(mergeLifecycle(xml, place)).toBeNull()
  })

  it.each([
    ['attributes', old.replace('<ID>', '<ID a="1">')],
    ['attributes of the rule', old.replace('<Rule>', '<Rule xmlns="x">')],
    ['blanks and lines', old.replace('<ID>', '<ID>\n   ').replace('</Rule>', '\n</Rule >')],
    ['blanks in its tags', old.replaceAll('</ID>', '</ID >').replaceAll('<Prefix>', '<Prefix\n>')],
  ])('mends its own rule also with %s, and leaves no second of its id', (_, rule) => {
    const merged = mergeLifecycle(document(expire('a'), rule, expire('b')), place)
    expect(ids(merged)).toEqual([OWN_RULE_ID])
    expect(judge(merged).verdict).toBe('covered')
    expect(merged).toContain(expire('a'))
    expect(merged).toContain(expire('b'))
  })

  it('takes no id that is there, however it is written', () => {
    const other = staging.replace('<ID>', '<ID  x="y">\n').replace('</ID>', ' </ID >')
    expect(ids(mergeLifecycle(document(other), place))).toEqual([OWN_RULE_ID, `${OWN_RULE_ID}-2`])
  })

  it('keeps entities in rules of others', () => {
    const other = abort('a&amp;b/&#x65;', 3, { id: '&lt;x&gt;' })
    expect(mergeLifecycle(document(other), place)).toContain(other)
  })

  it('holds for any rules: all others stay, in order, the prefix is covered, and a second time changes nothing', () => {
    const prefix = fc.constantFrom('', 'u', 'uploads/', 'uploads/a/', 'videos/', 'logs/2026/', 'upload')
    const rule = fc.oneof(
      fc
        .record({ prefix, days: fc.integer({ min: 1, max: 30 }), isEnabled: fc.boolean() })
        .map(({ prefix, days, isEnabled }) => abort(prefix, days, { status: isEnabled ? 'Enabled' : 'Disabled' })),
      fc.string({ minLength: 1, maxLength: 5, unit: fc.constantFrom('a', 'b', '-', '1') }).map(expire),
      fc.integer({ min: 1, max: 86_400 * 20 }).map((ttlSeconds) => ownRule({ ...place, ttlSeconds })),
    )
    const places = fc.record({
      keyPrefix: fc.constantFrom('uploads/', 'uploads/a/', 'videos/'),
      ttlSeconds: fc.integer({ min: 1, max: 86_400 * 30 }),
    })
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), places, fc.boolean(), (rules, where, isNull) => {
        const xml = isNull && rules.length === 0 ? null : document(...rules)
        const merged = mergeLifecycle(xml, where)
        const isForeign = (text: string) =>
          !text.includes(OWN_RULE_ID) || !text.includes(`<Prefix>${where.keyPrefix}</Prefix>`)
        if (merged === null) {
          expect(readAbortRules(xml).some((one) => one.id !== OWN_RULE_ID || one.prefix !== where.keyPrefix)).toBe(true)
          return
        }
        const kept = (merged.match(/<Rule>[\s\S]*?<\/Rule>/g) ?? []).filter(isForeign)
        expect(kept).toEqual(rules.filter(isForeign))
        expect(judgeLifecycle(readAbortRules(merged), where).verdict).toBe('covered')
        expect(mergeLifecycle(merged, where)).toBe(merged)
      }),
      { numRuns: 1000 },
    )
  })
})
