import { describe, expect, it } from 'vitest'
import { matchesWildcards } from '../../server/local-cloud/policy-conditions.ts'
import {
  type AccessAnswer,
  evaluatePolicies,
  parsePolicy,
  type RamStatement,
} from '../../server/local-cloud/ram-policy.ts'

const resource = 'acs:oss:oss-cn-hangzhou:1000000000000000:bucket/uploads/a'
const facts = new Map([
  ['acs:SourceIp', '10.1.2.3'],
  ['acs:SecureTransport', 'false'],
  ['acs:CurrentTime', '2025-01-15T08:30:00.000Z'],
  ['oss:Prefix', 'uploads/'],
])
const ask = (...statements: RamStatement[]) =>
  evaluatePolicies([{ Version: '1', Statement: statements }], { action: 'oss:PutObject', resource, facts })
const allow = (changed: Partial<RamStatement> = {}): RamStatement => ({
  Effect: 'Allow',
  Action: 'oss:*',
  Resource: '*',
  ...changed,
})
const deny = (changed: Partial<RamStatement> = {}): RamStatement => ({ ...allow(changed), Effect: 'Deny' })

describe('a policy', () => {
  it.each<[string, RamStatement[], AccessAnswer]>([
    ['allows what a statement allows', [allow()], 'allow'],
    ['allows an action among several', [allow({ Action: ['oss:GetObject', 'oss:PutObject'] })], 'allow'],
    ['denies what no statement speaks of', [allow({ Action: 'oss:GetObject' })], 'implicit-deny'],
    ['denies another resource', [allow({ Resource: 'acs:oss:*:*:bucket/uploads' })], 'implicit-deny'],
    ['takes a resource without wildcards exactly', [allow({ Resource: resource })], 'allow'],
    ['lets a star run over slashes', [allow({ Resource: 'acs:oss:*:*:bucket/*' })], 'allow'],
    ['does not take the bucket for its objects', [allow({ Resource: 'acs:oss:*:*:bucket' })], 'implicit-deny'],
    ['denies explicitly whatever else allows', [allow(), deny({ Action: 'oss:Put*' })], 'explicit-deny'],
    ['ignores a denial of something else', [allow(), deny({ Action: 'oss:DeleteObject' })], 'allow'],
  ])('%s', (_, statements, answer) => {
    expect(ask(...statements)).toBe(answer)
  })

  it.each<[string, RamStatement['Condition'], boolean]>([
    ['an address in a range', { IpAddress: { 'acs:SourceIp': '10.0.0.0/8' } }, true],
    ['an address among several ranges', { IpAddress: { 'acs:SourceIp': ['192.168.0.0/16', '10.1.2.3'] } }, true],
    ['an address out of range', { IpAddress: { 'acs:SourceIp': '10.2.0.0/16' } }, false],
    ['no address in a range', { NotIpAddress: { 'acs:SourceIp': ['192.168.0.0/16', '10.2.0.0/16'] } }, true],
    [
      'an address in one of the excluded ranges',
      { NotIpAddress: { 'acs:SourceIp': ['192.168.0.0/16', '10.0.0.0/8'] } },
      false,
    ],
    ['an address in a range of nonsense', { IpAddress: { 'acs:SourceIp': '10.0.0.0/99' } }, false],
    ['plain HTTP', { Bool: { 'acs:SecureTransport': 'false' } }, true],
    ['HTTPS', { Bool: { 'acs:SecureTransport': 'true' } }, false],
    ['a time before', { DateLessThan: { 'acs:CurrentTime': '2025-01-15T08:30:00+00:00' } }, false],
    ['a time up to', { DateLessThanEquals: { 'acs:CurrentTime': '2025-01-15T16:30:00+08:00' } }, true],
    ['a like text', { StringLike: { 'oss:Prefix': 'up*/' } }, true],
    ['an unlike text', { StringNotLike: { 'oss:Prefix': 'up*/' } }, false],
    [
      'two conditions that both hold',
      { Bool: { 'acs:SecureTransport': 'false' }, StringEquals: { 'oss:Prefix': 'uploads/' } },
      true,
    ],
    [
      'two conditions of which one holds',
      { Bool: { 'acs:SecureTransport': 'true' }, StringEquals: { 'oss:Prefix': 'uploads/' } },
      false,
    ],
    ['an unknown fact', { StringEquals: { 'acs:Unheard': 'x' } }, false],
    ['an unknown fact, negated', { StringNotEquals: { 'acs:Unheard': 'x' } }, false],
  ])('with a condition on %s', (_, Condition, holds) => {
    const statement = allow(Condition === undefined ? {} : { Condition })
    expect(ask(statement)).toBe(holds ? 'allow' : 'implicit-deny')
  })

  it('is narrowed by another: both must allow, either may deny', () => {
    const wide = { Version: '1' as const, Statement: [allow()] }
    const narrow = { Version: '1' as const, Statement: [allow({ Resource: 'acs:oss:*:*:bucket/other/*' })] }
    const denying = { Version: '1' as const, Statement: [deny()] }
    const question = { action: 'oss:PutObject', resource, facts }
    expect(evaluatePolicies([wide, narrow], question)).toBe('implicit-deny')
    expect(evaluatePolicies([wide, denying], question)).toBe('explicit-deny')
    expect(evaluatePolicies([wide, wide], question)).toBe('allow')
    expect(evaluatePolicies([], question)).toBe('allow')
  })

  it.each([
    ['no JSON', 'x'],
    ['another version', '{"Version":"2","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'],
    ['no statement', '{"Version":"1","Statement":[]}'],
    ['an unknown effect', '{"Version":"1","Statement":[{"Effect":"Maybe","Action":"*","Resource":"*"}]}'],
    ['no action', '{"Version":"1","Statement":[{"Effect":"Allow","Resource":"*"}]}'],
    ['an action that is a number', '{"Version":"1","Statement":[{"Effect":"Allow","Action":1,"Resource":"*"}]}'],
    ['an unknown element', '{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Who":"*"}]}'],
    [
      'an unknown operator',
      '{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Is":{}}}]}',
    ],
    [
      'a prototype for an operator',
      '{"Version":"1","Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"constructor":{}}}]}',
    ],
  ])('is refused when it has %s', (_, text) => {
    expect(() => parsePolicy(text)).toThrow(TypeError)
  })
})

describe('wildcards', () => {
  it.each([
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a*', 'abc', true],
    ['*c', 'abc', true],
    ['a*c*e', 'abcde', true],
    ['a*c*f', 'abcde', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['**a**', 'xay', true],
    ['a.c', 'abc', false],
    ['a*', 'a*', true],
    ['a', 'A', false],
  ])('match %j against %j: %s', (pattern, text, isMatch) => {
    expect(matchesWildcards(pattern, text)).toBe(isMatch)
  })

  it('do not run away on hostile patterns', () => {
    expect(matchesWildcards(`${'*a'.repeat(1000)}b`, 'a'.repeat(5000))).toBe(false)
  })
})
