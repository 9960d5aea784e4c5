import { XMLParser } from 'fast-xml-parser'
import type { UploadPlace } from '../upload-places.ts'

/* The bucket's rule that ends forgotten multipart uploads: read and judged. Pure. Source: OSS API reference, "PutBucketLifecycle": prefixes of
 * rules for unfinished uploads must not overlap. */

/** A rule of the bucket with AbortMultipartUpload. */
export interface AbortRule {
  id: string
  prefix: string
  isEnabled: boolean
  /** Null: by a date, which ends uploads of the past and no others. */
  days: number | null
  /** Narrowed by more than its prefix, so that it may leave uploads alone. */
  isNarrowed: boolean
}

export type LifecycleVerdict =
  | { verdict: 'covered'; rule: AbortRule }
  | { verdict: 'too-short'; rule: AbortRule; neededDays: number }
  /** `inTheWay`: rules whose prefix overlaps ours without covering it, beside which OSS takes no other. */
  | { verdict: 'missing'; inTheWay: AbortRule[] }

/** The rule Partway adds is known by this, so that only it is ever changed. */
export const OWN_RULE_ID = 'partway-abort-forgotten-uploads'
/** The same for uploads with direct credentials. */
export const OWN_DIRECT_RULE_ID = 'partway-abort-forgotten-direct-uploads'

const DAY_SECONDS = 86_400
/** Beyond the need: OSS counts from the next midnight, and the sweep should come first. */
const SPARE_DAYS = 2

const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, isArray: (name) => name === 'Rule' })

/** All rules of a lifecycle document as they are parsed, in its order. Throws Error for what is no such document. */
export function readRules(xml: string): Record<string, unknown>[] {
  const document = parser.parse(xml) as Record<string, unknown>
  if (!('LifecycleConfiguration' in document)) throw new Error('the lifecycle of the bucket cannot be read')
  const { Rule: rules = [] } = asRecord(document.LifecycleConfiguration) as { Rule?: unknown[] }
  return rules.map(asRecord)
}

/** The rules for unfinished uploads in a lifecycle document, in its order. Throws Error for what is no such document. */
export function readAbortRules(xml: string | null): AbortRule[] {
  return (xml === null ? [] : readRules(xml)).flatMap((rule) => {
    if (!('AbortMultipartUpload' in rule)) return []
    const { Days: days } = asRecord(rule.AbortMultipartUpload)
    return [
      {
        id: textIn(rule, 'ID'),
        prefix: textIn(rule, 'Prefix'),
        isEnabled: textIn(rule, 'Status') === 'Enabled',
        days: typeof days === 'string' && /^[0-9]+$/.test(days) ? Number(days) : null,
        isNarrowed: 'Tag' in rule || 'Filter' in rule,
      },
    ]
  })
}

/** How well the rules fit. Where several cover the prefix, the one with the fewest days decides. */
export function judgeLifecycle(rules: readonly AbortRule[], place: UploadPlace): LifecycleVerdict {
  const [strictest] = rules.filter((rule) => covers(rule, place)).sort((a, b) => (a.days ?? 0) - (b.days ?? 0))
  // Partway ends no direct upload, so any days are as good as the operator says.
  const neededDays = place.isDirect ? 1 : daysOf(place)
  if (strictest) {
    const isEnough = (strictest.days ?? 0) >= neededDays
    return isEnough ? { verdict: 'covered', rule: strictest } : { verdict: 'too-short', rule: strictest, neededDays }
  }
  return { verdict: 'missing', inTheWay: rules.filter((rule) => overlaps(rule, place)) }
}

/** Whether OSS would refuse a rule for the place beside this one. */
export function overlaps({ prefix }: AbortRule, { keyPrefix }: UploadPlace): boolean {
  return prefix.startsWith(keyPrefix) || keyPrefix.startsWith(prefix)
}

function covers(rule: AbortRule, { keyPrefix }: UploadPlace): boolean {
  return rule.isEnabled && rule.days !== null && !rule.isNarrowed && keyPrefix.startsWith(rule.prefix)
}

/** The id of the rule for such a place, before it is numbered. */
export function ownRuleId({ isDirect }: Pick<UploadPlace, 'isDirect'>): string {
  return isDirect ? OWN_DIRECT_RULE_ID : OWN_RULE_ID
}

/** Whether Partway gave out this id for such a place: ids are unique within a bucket, so a second one has a number. */
export function isOwnRuleId(id: string, place: Pick<UploadPlace, 'isDirect'>): boolean {
  return id.startsWith(ownRuleId(place)) && /^(-[0-9]+)?$/.test(id.slice(ownRuleId(place).length))
}

/** The rule as it is added, for keys below the prefix. */
export function ownRule(place: UploadPlace, id = ownRuleId(place)): string {
  const days = `<Days>${daysOf(place) + SPARE_DAYS}</Days>`
  return `<Rule><ID>${id}</ID><Prefix>${place.keyPrefix}</Prefix><Status>Enabled</Status><AbortMultipartUpload>${days}</AbortMultipartUpload></Rule>`
}

/** What the verdict means for an operator, in words; null when all is well. */
export function lifecycleComplaint(judged: LifecycleVerdict, { keyPrefix, isDirect }: UploadPlace): string | null {
  // Who gives out no such tokens has nothing to lose there.
  const who = isDirect
    ? ' Only tokens with the scope credentials:direct lead there; nothing else ends their uploads.'
    : ''
  const named = (rules: readonly AbortRule[]) =>
    rules.map((rule) => `"${rule.id}" (prefix "${rule.prefix}")`).join(', ')
  switch (judged.verdict) {
    case 'covered':
      return null
    case 'too-short':
      return `The lifecycle rule ${named([judged.rule])} ends unfinished uploads under ${keyPrefix} after ${judged.rule.days} days, before UPLOAD_TTL_SECONDS does: give it ${judged.neededDays} or more, or lower UPLOAD_TTL_SECONDS.`
    case 'missing':
      return judged.inTheWay.length === 0
        ? `No lifecycle rule ends unfinished uploads under ${keyPrefix}: parts that Partway never gets to abort are billed for ever.${who}`
        : `No lifecycle rule ends all unfinished uploads under ${keyPrefix}, and ${named(judged.inTheWay)} overlaps it, so OSS takes no other: change that one.${who}`
  }
}

function daysOf({ ttlSeconds }: UploadPlace): number {
  return Math.max(1, Math.ceil(ttlSeconds / DAY_SECONDS))
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

/** The text of an element, or an empty one. */
export function textIn(record: Record<string, unknown>, name: string): string {
  const value = record[name]
  return typeof value === 'string' ? value : ''
}
