import { BlockList, isIP } from 'node:net'

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
      Object.entries(keys).every(([key, values]) => holds(operator, question.facts.get(key), listOf(values))),
    )
  )
}

type Comparison = (fact: string, value: string) => boolean

const numeric =
  (compare: (a: number, b: number) => boolean): Comparison =>
  (fact, value) =>
    compare(Number(fact), Number(value))
const dated =
  (compare: (a: number, b: number) => boolean): Comparison =>
  (fact, value) =>
    compare(Date.parse(fact), Date.parse(value))
const sameIgnoringCase: Comparison = (fact, value) => fact.toLowerCase() === value.toLowerCase()

// Several values are alternatives; of a negated operator, none may match.
const COMPARISONS = new Map<string, Comparison>([
  ['StringEquals', (fact, value) => fact === value],
  ['StringEqualsIgnoreCase', sameIgnoringCase],
  ['StringLike', (fact, value) => matchesWildcards(value, fact)],
  ['NumericEquals', numeric((a, b) => a === b)],
  ['NumericLessThan', numeric((a, b) => a < b)],
  ['NumericLessThanEquals', numeric((a, b) => a <= b)],
  ['NumericGreaterThan', numeric((a, b) => a > b)],
  ['NumericGreaterThanEquals', numeric((a, b) => a >= b)],
  ['DateEquals', dated((a, b) => a === b)],
  ['DateLessThan', dated((a, b) => a < b)],
  ['DateLessThanEquals', dated((a, b) => a <= b)],
  ['DateGreaterThan', dated((a, b) => a > b)],
  ['DateGreaterThanEquals', dated((a, b) => a >= b)],
  ['Bool', sameIgnoringCase],
  ['IpAddress', isInRange],
])

const NEGATIONS = new Map([
  ['StringNotEquals', 'StringEquals'],
  ['StringNotEqualsIgnoreCase', 'StringEqualsIgnoreCase'],
  ['StringNotLike', 'StringLike'],
  ['NumericNotEquals', 'NumericEquals'],
  ['DateNotEquals', 'DateEquals'],
  ['NotIpAddress', 'IpAddress'],
])

function isKnownOperator(operator: string): boolean {
  return COMPARISONS.has(operator) || NEGATIONS.has(operator)
}

/** A condition about a fact that is not known holds for nobody, whatever its operator. */
function holds(operator: string, fact: string | undefined, values: readonly string[]): boolean {
  if (fact === undefined) return false
  const positive = NEGATIONS.get(operator)
  const compare = COMPARISONS.get(positive ?? operator)
  if (compare === undefined) return false
  return values.some((value) => compare(fact, value)) !== (positive !== undefined)
}

function isInRange(address: string, range: string): boolean {
  const [net = '', bits] = range.split('/')
  const family = isIP(net) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(net) === 0 || isIP(address) !== isIP(net)) return false
  const prefix = Number(bits ?? (family === 'ipv6' ? 128 : 32))
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > (family === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(net, prefix, family)
  return list.check(address, family)
}

/** `*` stands for any run of characters, `/` included, `?` for exactly one. Takes at most pattern × text steps, so that no
 *  policy can make it run away. */
export function matchesWildcards(pattern: string, text: string): boolean {
  let at = 0
  let inPattern = 0
  let star = -1
  let resume = 0
  while (at < text.length) {
    const sign = pattern[inPattern]
    if (sign === '*') {
      star = inPattern++
      resume = at
    } else if (sign !== undefined && (sign === '?' || sign === text[at])) {
      inPattern++
      at++
    } else if (star >= 0) {
      inPattern = star + 1
      at = ++resume
    } else return false
  }
  while (pattern[inPattern] === '*') inPattern++
  return inPattern === pattern.length
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
