import { isDeepStrictEqual } from 'node:util'
import type { UploadPlace } from '../upload-places.ts'
import {
  isOwnRuleId,
  judgeLifecycle,
  overlaps,
  ownRule,
  ownRuleId,
  readAbortRules,
  readRules,
  textIn,
} from './lifecycle-rules.ts'

/* Partway's rules put into the bucket's lifecycle, with every other as it stands. Pure. Source: OSS API reference, "PutBucketLifecycle": a write
 * replaces all rules. So rules that are not ours are kept as text, byte for byte, whatever is in them. */

/** A rule, as its text in the document and as the parser reads that. */
interface RuleText {
  text: string
  start: number
  rule: Record<string, unknown>
}

/**
 * The document with a rule that covers `place`, every other rule as it stood, byte for byte; the document itself when there is one already.
 * Null when that would take a change of a rule that is not Partway's, or when the document is not plainly the rules that are in it.
 */
export function mergeLifecycle(xml: string | null, place: UploadPlace): string | null {
  const rules = readAbortRules(xml)
  if (judgeLifecycle(rules, place).verdict === 'covered') return xml
  if (rules.some((rule) => overlaps(rule, place) && !isOwn(rule, place))) return null
  const texts = cutRules(xml ?? '')
  if (!texts) return null
  const isOwnText = ({ rule }: RuleText) => isOwn({ id: textIn(rule, 'ID'), prefix: textIn(rule, 'Prefix') }, place)
  const [own, others] = [texts.filter(isOwnText), texts.filter((one) => !isOwnText(one))]
  // Somebody has given our rule more to do: it is theirs now.
  if (!own.every(({ text }) => isPlain(text))) return null
  const added = ownRule(place, freeId(place, others))
  const merged = withRule(without(xml ?? '', own), added)
  // Whatever is between the rules: what comes out must read as the others, and ours.
  const expected = [...others.map(({ rule }) => rule), ...readRules(withRule('', added))]
  return isDeepStrictEqual(readRules(merged), expected) ? merged : null
}

/** {@link mergeLifecycle} for several places, one after the other; null when any of them cannot be. */
export function mergeLifecycles(xml: string | null, places: readonly UploadPlace[]): string | null {
  let merged = xml
  for (const place of places) {
    merged = mergeLifecycle(merged, place)
    if (merged === null) return null
  }
  return merged
}

/** By its prefix too: another Partway may keep its uploads in the same bucket, elsewhere. */
function isOwn({ id, prefix }: { id: string; prefix: string }, place: UploadPlace): boolean {
  return isOwnRuleId(id, place) && prefix === place.keyPrefix
}

/** The texts of the rules. Null where they are not what a parser of the whole finds: with comments or CDATA around or in them, an empty rule,
 *  elements that only look like rules. Cutting there would cut something else. */
function cutRules(xml: string): RuleText[] | null {
  if (xml.includes('<!')) return null
  const texts = [...xml.matchAll(/<Rule\b[^>]*>[\s\S]*?<\/Rule\s*>/g)].flatMap(({ 0: text, index: start }) =>
    readRules(withRule('', text)).map((rule) => ({ text, start, rule })),
  )
  const cut = texts.map(({ rule }) => rule)
  return isDeepStrictEqual(cut, xml === '' ? [] : readRules(xml)) ? texts : null
}

function without(xml: string, removed: readonly RuleText[]): string {
  return removed.reduceRight((left, { text, start }) => left.slice(0, start) + left.slice(start + text.length), xml)
}

function withRule(xml: string, added: string): string {
  const end = xml.lastIndexOf('</LifecycleConfiguration')
  if (end < 0) return `<LifecycleConfiguration>${added}</LifecycleConfiguration>`
  return `${xml.slice(0, end)}${added}${xml.slice(end)}`
}

function freeId(place: UploadPlace, others: readonly RuleText[]): string {
  const base = ownRuleId(place)
  const taken = new Set(others.map(({ rule }) => textIn(rule, 'ID')))
  let id = base
  for (let number = 2; taken.has(id); number++) id = `${base}-${number}`
  return id
}

function isPlain(ruleText: string): boolean {
  const ours = new Set(['Rule', 'ID', 'Prefix', 'Status', 'AbortMultipartUpload', 'Days'])
  return [...ruleText.matchAll(/<([^\s/>]+)/g)].every(([, name = '']) => ours.has(name))
}
