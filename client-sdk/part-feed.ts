import type { PartGrant } from './contract/part.ts'
import type { LookaheadBounds } from './lookahead.ts'
import type { GrantedPart, PreparedPart } from './prepared-part.ts'

export interface PartFeedDeps {
  /** Part numbers in the order they are to be sent. */
  numbers: readonly number[]
  prepare(partNumber: number): Promise<PreparedPart>
  askGrant(part: PreparedPart): Promise<PartGrant>
  /** Whether a grant is too old to be given out. */
  isOld(grant: PartGrant): boolean
  /** How far ahead of the parts in flight, now. `left` are parts no grant was asked for yet. */
  lookahead(left: number): LookaheadBounds
  /** Parts that are ready already, from the create call. */
  ready?: GrantedPart[]
}

/** Gives out parts in order, each hashed and granted before a sender is free for it. */
export interface PartFeed {
  /** The next part, or undefined when there are no more. Throws what went wrong while preparing. */
  next(): Promise<GrantedPart | undefined>
  /** Gives back the memory of parts nobody took. */
  close(): void
}

/**
 * Hashing is one pipeline stage, asking for grants the next; both run while parts are in flight. Where hashing is what limits, idle senders
 * wait for a small batch all the same: the upload would be little sooner done, and every part would become a request. Only the very first
 * part, when nothing is on its way, is asked for alone.
 */
export function createPartFeed(deps: PartFeedDeps): PartFeed {
  const { numbers } = deps
  let taken = 0
  let ready: GrantedPart[] = [...(deps.ready ?? [])]
  const idle: { resolve(part: GrantedPart | undefined): void; reject(error: unknown): void }[] = []
  /** Once for each part, lest grants that are never young be asked for without end; a second pause costs a request for each. */
  const askedAgain = new Set<number>()
  let hashed: PreparedPart[] = []
  let asking: PreparedPart[] = []
  let hasBegun = ready.length > 0
  let isHashing = false
  let isClosed = false
  let failure: { error: unknown } | undefined
  const isAllHashed = () => taken === numbers.length && !isHashing

  function advance() {
    takeBackOld()
    while (idle.length > 0 && ready.length > 0) idle.shift()?.resolve(ready.shift())
    if (failure) {
      for (const { reject } of idle.splice(0)) reject(failure.error)
      return
    }
    if (isClosed) {
      for (const { resolve } of idle.splice(0)) resolve(undefined)
      return
    }
    // Once for both: what is too few to ask for must not be enough to hash no more.
    const bounds = deps.lookahead(numbers.length - taken + (isHashing ? 1 : 0) + hashed.length)
    hashNext(bounds)
    askNext(bounds)
    const isEmpty = isAllHashed() && hashed.length + asking.length + ready.length === 0
    if (isEmpty) for (const { resolve } of idle.splice(0)) resolve(undefined)
  }

  /** After a pause all of them may be old: they are asked for together, and not one by one as they are sent. */
  function takeBackOld() {
    const [oldest] = ready
    if (!oldest || !deps.isOld(oldest.grant)) return
    const isTaken = ({ grant, partNumber }: GrantedPart) => !askedAgain.has(partNumber) && deps.isOld(grant)
    const old = ready.filter(isTaken)
    for (const { partNumber } of old) askedAgain.add(partNumber)
    ready = ready.filter((part) => !old.includes(part))
    hashed = [...old, ...hashed]
  }

  function hashNext({ ahead }: LookaheadBounds) {
    const next = numbers[taken]
    if (isHashing || next === undefined || hashed.length + asking.length + ready.length >= ahead + idle.length) return
    taken += 1
    isHashing = true
    deps
      .prepare(next)
      .then((part) => {
        if (isClosed) part.release()
        else hashed.push(part)
      }, fail)
      .finally(() => {
        isHashing = false
        advance()
      })
  }

  function askNext({ ahead, batch }: LookaheadBounds) {
    const enough = idle.length === 0 ? ahead : hasBegun ? batch : 1
    if (asking.length > 0 || hashed.length === 0 || (hashed.length < enough && !isAllHashed())) return
    hasBegun = true
    asking = hashed
    hashed = []
    Promise.all(asking.map(deps.askGrant))
      .then(
        (grants) => {
          for (const [index, part] of asking.entries()) {
            const grant = grants[index]
            if (isClosed || !grant) part.release()
            else ready.push({ ...part, grant })
          }
          asking = []
        },
        (error) => {
          for (const part of asking.splice(0)) part.release()
          fail(error)
        },
      )
      .finally(advance)
  }

  function fail(error: unknown) {
    failure ??= { error }
  }

  function close() {
    isClosed = true
    for (const part of [...hashed.splice(0), ...ready.splice(0)]) part.release()
    for (const { resolve } of idle.splice(0)) resolve(undefined)
  }

  return {
    next() {
      return new Promise((resolve, reject) => {
        idle.push({ resolve, reject })
        advance()
      })
    },
    close,
  }
}
