import { conditionHolds, isKnownOperator, matchesWildcards } from './policy-conditions.ts'

/** A RAM policy document. `Version` is always "1". */
export interface RamPolicy {
  readonly Version: '1'
  readonly Statement: readonly RamStatement[]
}

export interface RamStatement {
  readonly Effect: 'Allow' | 'Deny'
  readonly Action: string | readonly string[]
  readonly Resource: string | readonly string[]
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

/** What is asked: an action on a resource, and the facts conditions may look at (`acs:SourceIp`, `acs:CurrentTime`, …). */
export interface AccessQuestion {
  readonly action: string
  readonly resource: string
  readonly facts: ReadonlyMap<string, string>
}

export type AccessAnswer = 'allow' | 'explicit-deny' | 'implicit-deny'

/** Evaluates the policies of one caller. Any Deny that applies decides; else each policy must allow (a session's policy narrows
 *  its role's); no policy at all means no restriction, as for the root key. */
export function evaluatePolicies(policies: readonly RamPolicy[], question: AccessQuestion): AccessAnswer {
  const applying = policies.map((policy) => policy.Statement.filter((statement) => applies(statement, question)))
  if (applying.flat().some((statement) => statement.Effect === 'Deny')) return 'explicit-deny'
  return applying.every((statements) => statements.length > 0) ? 'allow' : 'implicit-deny'
}

/** Reads and checks a policy. Throws TypeError naming what is wrong; unknown elements are refused, as RAM's grammar does. */
export function parsePolicy(source: RamPolicy | string): RamPolicy {
  const document: unknown = typeof source === 'string' ? parseJson(source) : source
  if (!isRecord(document) || document.Version !== '1') throw new TypeError('the policy must have Version "1"')
  if (!Array.isArray(document.Statement) || document.Statement.length === 0) {
    throw new TypeError('the policy must have a non-empty list of Statement')
  }
  refuseOthers(document, ['Version', 'Statement'])
  document.Statement.forEach(checkStatement)
  return document as unknown as RamPolicy
}

function checkStatement(statement: unknown): void {
  if (!isRecord(statement)) throw new TypeError('a Statement must be an object')
  refuseOthers(statement, ['Effect', 'Action', 'Resource', 'Condition'])
  if (statement.Effect !== 'Allow' && statement.Effect !== 'Deny') throw new TypeError('Effect must be Allow or Deny')
  for (const name of ['Action', 'Resource']) {
    const values = statement[name]
    if (typeof values !== 'string' && !isTextList(values))
      throw new TypeError(`${name} must be text or a list of texts`)
  }
  if (statement.Condition === undefined) return
  if (!isRecord(statement.Condition)) throw new TypeError('Condition must be an object')
  for (const [operator, keys] of Object.entries(statement.Condition)) {
    if (!isKnownOperator(operator)) throw new TypeError(`unknown condition operator ${operator.slice(0, 60)}`)
    if (!isRecord(keys) || !Object.values(keys).every((value) => typeof value === 'string' || isTextList(value))) {
      throw new TypeError(`the condition ${operator} must map keys to texts or lists of texts`)
    }
  }
}

function applies(statement: RamStatement, question: AccessQuestion): boolean {
  return (
    listOf(statement.Action).some((pattern) => matchesWildcards(pattern, question.action)) &&
    listOf(statement.Resource).some((pattern) => matchesWildcards(pattern, question.resource)) &&
    Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
      Object.entries(keys).every(([key, values]) => conditionHolds(operator, question.facts.get(key), listOf(values))),
    )
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new TypeError('the policy is not JSON')
  }
}

function refuseOthers(record: Record<string, unknown>, known: string[]): void {
  const other = Object.keys(record).find((name) => !known.includes(name))
  if (other !== undefined) throw new TypeError(`unknown element ${other.slice(0, 60)}`)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string')
}

function listOf(values: string | readonly string[]): readonly string[] {
  return typeof values === 'string' ? [values] : values
}
