import { matchesWildcards } from './policy-conditions.ts'
import { seededRandom } from './seeded-random.ts'

/** Which requests a fault is for; what is absent is not looked at. */
export interface FaultMatch {
  /** Name or names of operations: `UploadPart`, `CompleteMultipartUpload`, …, `AssumeRole` for the STS. */
  readonly verb?: string | readonly string[]
  readonly bucket?: string
  /** With `*` and `?`. */
  readonly key?: string
  readonly partNumber?: number | readonly number[]
  readonly uploadId?: string
}

export type FaultEffect =
  /** An error instead of the true answer: before anything is done, or (`after-commit`) after everything is. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly code: string
      readonly message?: string
      readonly at?: 'start' | 'after-commit'
      readonly headers?: Readonly<Record<string, string>>
    }
  /** 503 with `x-oss-qos-delay-time`. */
  | { readonly kind: 'throttle'; readonly delayMs: number }
  /** Waits before the request is looked at, or before the finished answer is sent. */
  | { readonly kind: 'delay'; readonly delayMs: number; readonly at?: 'start' | 'reply' }
  /** Cuts the connection: before the body is read, after `afterBytes` of it, or after the commit (a lost reply). */
  | { readonly kind: 'cut'; readonly at: 'start' | 'body' | 'reply'; readonly afterBytes?: number }
  /** Does the work, then answers 200 with no body. */
  | { readonly kind: 'empty-body' }
  /** Does the work, then answers 200 with an Error document inside. */
  | { readonly kind: 'error-in-body'; readonly code: string; readonly message?: string }
  /** `received`: the first byte of the body changes on its way in, before anything is hashed. `stored`: it changes on disk, while
   *  hashes and headers speak of the true one. `etag` and `crc64`: the header lies. */
  | { readonly kind: 'corrupt'; readonly what: 'received' | 'stored' | 'etag' | 'crc64' }
  /** The cloud's clock is off for this request: its Date header, and what it takes for late or early. */
  | { readonly kind: 'clock'; readonly offsetMs: number }

export interface FaultRule {
  readonly match?: FaultMatch
  /** Skips this many matching requests first. */
  readonly after?: number
  /** Happens this often, then never again. Default: always. */
  readonly times?: number
  /** 0 to 1, drawn from the seeded sequence. Default 1. */
  readonly probability?: number
  readonly effect: FaultEffect
}

export interface FaultSubject {
  readonly verb: string
  readonly bucket: string | null
  readonly key: string | null
  readonly partNumber: number | null
  readonly uploadId: string | null
}

export interface Faults {
  /** The seed of the probabilities, to run the same sequence again. */
  readonly seed: number
  /** Adds a rule and returns its id. */
  add(rule: FaultRule): string
  /** Removes a rule; false when there is none of that id. */
  remove(id: string): boolean
  clear(): void
  list(): Array<{ id: string; rule: FaultRule; matched: number; applied: number }>
  /** The effects that fall on a request. Counts it, so ask once per request. */
  effectsFor(subject: FaultSubject): FaultEffect[]
}

/** Rules are asked in the order they were added; all that match apply. */
export function createFaults(seed = 1): Faults {
  const rules = new Map<string, { rule: FaultRule; matched: number; applied: number }>()
  const random = seededRandom(seed)
  let lastId = 0
  return {
    seed,
    add(rule) {
      const id = String(++lastId)
      rules.set(id, { rule, matched: 0, applied: 0 })
      return id
    },
    remove: (id) => rules.delete(id),
    clear: () => rules.clear(),
    list: () => [...rules].map(([id, entry]) => ({ id, ...entry })),
    effectsFor(subject) {
      const effects: FaultEffect[] = []
      for (const entry of rules.values()) {
        const { match = {}, after = 0, times = Number.POSITIVE_INFINITY, probability = 1, effect } = entry.rule
        if (!matches(match, subject)) continue
        entry.matched++
        if (entry.matched <= after || entry.applied >= times) continue
        if (probability < 1 && random() >= probability) continue
        entry.applied++
        effects.push(effect)
      }
      return effects
    },
  }
}

function matches(match: FaultMatch, subject: FaultSubject): boolean {
  const { verb, bucket, key, partNumber, uploadId } = match
  return (
    (verb === undefined || [verb].flat().includes(subject.verb)) &&
    (bucket === undefined || bucket === subject.bucket) &&
    (key === undefined || (subject.key !== null && matchesWildcards(key, subject.key))) &&
    (partNumber === undefined || (subject.partNumber !== null && [partNumber].flat().includes(subject.partNumber))) &&
    (uploadId === undefined || uploadId === subject.uploadId)
  )
}
