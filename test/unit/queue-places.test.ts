import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createPartPlaces } from '../../client-sdk/queue/part-places.ts'

const settle = () => new Promise((resolve) => setImmediate(resolve))

interface Request {
  owner: object
  canceller: AbortController
  free?: () => void
}

/** Places with a book of who waits and who holds how many. */
function observed(count: number) {
  const places = createPartPlaces(count)
  const waiting: Request[] = []
  const held: Request[] = []
  const granted: object[] = []
  const ask = (owner: object) => {
    const request: Request = { owner, canceller: new AbortController() }
    waiting.push(request)
    places.acquire(owner, request.canceller.signal).then(
      (free) => {
        waiting.splice(waiting.indexOf(request), 1)
        held.push(Object.assign(request, { free }))
        granted.push(owner)
      },
      () => void waiting.splice(waiting.indexOf(request), 1),
    )
  }
  const release = (request: Request | undefined) => {
    if (!request) return
    held.splice(held.indexOf(request), 1)
    request.free?.()
  }
  const heldBy = (owner: object) => held.filter((request) => request.owner === owner).length
  return { ask, release, heldBy, waiting, held, granted }
}

const steps = fc.array(
  fc.record({ act: fc.constantFrom('ask', 'ask', 'release', 'abort'), which: fc.nat({ max: 1000 }) }),
  { maxLength: 80 },
)

describe('places for parts', () => {
  it('are never more than there are, and never empty while somebody waits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), steps, async (count, acts) => {
        const owners = Array.from({ length: 5 }, () => ({}))
        const book = observed(count)
        for (const { act, which } of acts) {
          if (act === 'ask') book.ask(owners[which % owners.length] ?? {})
          if (act === 'release') book.release(book.held[which % Math.max(1, book.held.length)])
          if (act === 'abort') book.waiting[which % Math.max(1, book.waiting.length)]?.canceller.abort(new Error('no'))
          await settle()
          expect(book.held.length).toBeLessThanOrEqual(count)
          if (book.waiting.length > 0) expect(book.held.length).toBe(count)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('go to the upload that uses the fewest', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), steps, async (count, acts) => {
        const owners = Array.from({ length: 5 }, () => ({}))
        const book = observed(count)
        for (const { act, which } of acts) {
          if (act !== 'release') book.ask(owners[which % owners.length] ?? {})
          await settle()
          const request = book.held[which % Math.max(1, book.held.length)]
          if (act !== 'release' || !request) continue
          const others = book.waiting.map(({ owner }) => owner)
          const before = book.granted.length
          const usedBefore = new Map(owners.map((owner) => [owner, book.heldBy(owner)]))
          usedBefore.set(request.owner, (usedBefore.get(request.owner) ?? 0) - 1)
          book.release(request)
          await settle()
          const served = book.granted[before]
          if (!served) continue
          const fewest = Math.min(...others.map((owner) => usedBefore.get(owner) ?? 0))
          expect(usedBefore.get(served)).toBe(fewest)
        }
      }),
      { numRuns: 150 },
    )
  })

  it('go round among equals: whoever was served waits for all others', async () => {
    const book = observed(1)
    const [none, one, two, three] = [{}, {}, {}, {}]
    for (const owner of [none, one, one, one, two, two, three]) book.ask(owner)
    for (let turn = 0; turn < 7; turn++) {
      await settle()
      book.release(book.held[0])
    }
    expect(book.granted.map((owner) => [none, one, two, three].indexOf(owner))).toEqual([0, 1, 2, 3, 1, 2, 1])
  })

  it('reach a big upload however many small ones keep coming', async () => {
    const book = observed(2)
    const big = {}
    for (let index = 0; index < 6; index++) book.ask({})
    for (let index = 0; index < 4; index++) book.ask(big)
    for (let turn = 0; turn < 100; turn++) {
      book.ask({})
      await settle()
      book.release(book.held[turn % 2])
    }
    expect(book.granted.filter((owner) => owner === big).length).toBe(4)
  })

  it('all go to one upload that is alone', async () => {
    const book = observed(6)
    const big = {}
    for (let index = 0; index < 10; index++) book.ask(big)
    await settle()
    expect(book.heldBy(big)).toBe(6)
  })

  it('are given back once, however often that is said', async () => {
    const places = createPartPlaces(1)
    const { signal } = new AbortController()
    const free = await places.acquire({}, signal)
    free()
    const second = await places.acquire({}, signal)
    free()
    let isThird = false
    void places.acquire({}, signal).then(() => {
      isThird = true
    })
    await settle()
    expect(isThird).toBe(false)
    second()
    await settle()
    expect(isThird).toBe(true)
  })

  it('reject with the reason of the signal, before and while waiting', async () => {
    const places = createPartPlaces(1)
    const gone = AbortSignal.abort(new Error('gone'))
    await expect(places.acquire({}, gone)).rejects.toThrow('gone')
    await places.acquire({}, new AbortController().signal)
    const canceller = new AbortController()
    const waits = places.acquire({}, canceller.signal)
    canceller.abort(new Error('enough'))
    await expect(waits).rejects.toThrow('enough')
  })
})
