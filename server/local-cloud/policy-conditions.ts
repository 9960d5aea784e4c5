import { BlockList, isIP } from 'node:net'

/* The condition operators of RAM policies, and the wildcards they share with actions and resources. */

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

/** Whether RAM has an operator of that name. */
export function isKnownOperator(operator: string): boolean {
  return COMPARISONS.has(operator) || NEGATIONS.has(operator)
}

/** A condition about a fact that is not known holds for nobody, whatever its operator. */
export function conditionHolds(operator: string, fact: string | undefined, values: readonly string[]): boolean {
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
