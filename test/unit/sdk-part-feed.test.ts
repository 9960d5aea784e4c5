import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { askPatiently, createGrantDesk } from '../../client-sdk/grant-desk.ts'
import { createPartFeed } from '../../client-sdk/part-feed.ts'
import type { PreparedPart } from '../../client-sdk/prepared-part.ts'
import { createRunGate, pausedReason } from '../../client-sdk/run-gate.ts'

const grantFor = (partNumber: number) => ({
  partNumber,
  method: 'PUT' as const,
  url: `http://oss/${partNumber}`,
  headers: {},
  sizeBytes: 1,
  expiresAt: '2026-01-01T00:00:00.000Z',
})

/** Parts that count how many of them are prepared and not yet released. */
function countingParts() {
  const held = new Set<number>()
  const prepare = async (partNumber: number): Promise<PreparedPart> => {
    held.add(partNumber)
    return {
      partNumber,
      body: { sizeBytes: 1, stream: () => [new Uint8Array(1)] },
      digest: { md5: 'AAAAAAAAAAAAAAAAAAAAAA==', crc64: 0n },
      release: () => void held.delete(partNumber),
    }
  }
  return { held, prepare }
}

/** Half of it is enough to ask for while somebody waits. */
const upTo = (ahead: number) => () => ({ ahead, batch: Math.ceil(ahead / 2) })

const isOld = () => false

const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('the feed of parts', () => {
  it('gives out every part once, in order, however many senders ask', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 1, max: 8 }),
        async (count, senders, lookahead) => {
          const { held, prepare } = countingParts()
          const numbers = Array.from({ length: count }, (_, index) => index + 1)
          const feed = createPartFeed({
            numbers,
            prepare,
            askGrant: async (part) => grantFor(part.partNumber),
            isOld,
            lookahead: upTo(lookahead),
          })
          const given: number[] = []
          await Promise.all(
            Array.from({ length: senders }, async () => {
              for (let part = await feed.next(); part; part = await feed.next()) {
                given.push(part.partNumber)
                await settle()
                part.release()
              }
            }),
          )
          expect(given).toEqual(numbers)
          expect(held.size).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('gives out every part also while what is to be ahead grows and shrinks, and grants grow old, at any moment', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 8 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 30 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 30 }),
        async (senders, aheads, olds) => {
          const { held, prepare } = countingParts()
          const numbers = Array.from({ length: 60 }, (_, index) => index + 1)
          let reads = 0
          const feed = createPartFeed({
            numbers,
            prepare,
            askGrant: async (part) => grantFor(part.partNumber),
            isOld: () => olds[reads++ % olds.length] ?? false,
            lookahead: () => upTo(aheads[reads++ % aheads.length] ?? 1)(),
          })
          const given: number[] = []
          const sendAll = async () => {
            for (let part = await feed.next(); part; part = await feed.next()) {
              given.push(part.partNumber)
              await settle()
              part.release()
            }
          }
          const all = Promise.all(Array.from({ length: senders }, sendAll)).then(() => 'all')
          let turns = 0
          const stuck = async () => {
            while (turns++ < 2000) await settle()
            return 'stuck'
          }
          expect(await Promise.race([all, stuck()])).toBe('all')
          turns = 2000
          // What grew old comes later.
          expect([...given].sort((a, b) => a - b)).toEqual(numbers)
          expect(held.size).toBe(0)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('hashes no further ahead than it was told', async () => {
    const { held, prepare } = countingParts()
    const feed = createPartFeed({
      numbers: Array.from({ length: 100 }, (_, index) => index + 1),
      prepare,
      askGrant: async (part) => grantFor(part.partNumber),
      isOld,
      lookahead: upTo(3),
    })
    const first = await feed.next()
    for (let turn = 0; turn < 20; turn++) await settle()
    first?.release()
    expect(held.size).toBeLessThanOrEqual(3)
    feed.close()
    expect(held.size).toBe(0)
  })

  it('asks for grants in batches while senders are busy', async () => {
    const { prepare } = countingParts()
    let requests = 0
    const desk = createGrantDesk(
      {
        async grantParts(_id, parts) {
          requests += 1
          await settle()
          return { grants: parts.map((part) => grantFor(part.partNumber)) }
        },
      },
      'upl_0',
      createRunGate(),
      new AbortController().signal,
    )
    const feed = createPartFeed({
      numbers: Array.from({ length: 80 }, (_, index) => index + 1),
      prepare,
      askGrant: (part) => desk.ask({ partNumber: part.partNumber, md5: part.digest.md5 }),
      isOld,
      lookahead: upTo(4),
    })
    for (let part = await feed.next(); part; part = await feed.next()) {
      // A PUT takes longer than hashing and asking do.
      for (let turn = 0; turn < 12; turn++) await settle()
      part.release()
    }
    expect(requests).toBeLessThanOrEqual(25)
  })

  it('asks for grants in batches although senders are faster than hashing', async () => {
    const { prepare } = countingParts()
    const batches: number[] = []
    const desk = createGrantDesk(
      {
        async grantParts(_id, parts) {
          batches.push(parts.length)
          return { grants: parts.map((part) => grantFor(part.partNumber)) }
        },
      },
      'upl_0',
      createRunGate(),
      new AbortController().signal,
    )
    const senders = 4
    const feed = createPartFeed({
      numbers: Array.from({ length: 80 }, (_, index) => index + 1),
      async prepare(partNumber) {
        for (let turn = 0; turn < 4; turn++) await settle()
        return prepare(partNumber)
      },
      askGrant: (part) => desk.ask({ partNumber: part.partNumber, md5: part.digest.md5 }),
      isOld,
      lookahead: upTo(2 * senders),
    })
    await Promise.all(
      Array.from({ length: senders }, async (_, sender) => {
        for (let part = await feed.next(); part; part = await feed.next()) {
          for (let turn = 0; turn < 8 * (sender + 1); turn++) await settle()
          part.release()
        }
      }),
    )
    // The first part goes at once, for nothing else is on its way.
    expect(batches[0]).toBe(1)
    expect(batches.slice(1, -1).every((count) => count >= 4)).toBe(true)
    expect(batches.length).toBeLessThanOrEqual(21)
  })

  describe('when grants grew old before they were used', () => {
    const allButFirst = Array.from({ length: 59 }, (_, index) => index + 2)

    async function feedOf(isOldNow: (grantNumber: number) => boolean) {
      const { held, prepare } = countingParts()
      const batches: number[] = []
      let granted = 0
      const desk = createGrantDesk(
        {
          async grantParts(_id, parts) {
            batches.push(parts.length)
            const before = granted
            granted += parts.length
            return {
              grants: parts.map(({ partNumber }, index) => ({ ...grantFor(partNumber), url: `${before + index + 1}` })),
            }
          },
        },
        'upl_0',
        createRunGate(),
        new AbortController().signal,
      )
      const feed = createPartFeed({
        numbers: Array.from({ length: 60 }, (_, index) => index + 1),
        prepare,
        askGrant: (part) => desk.ask({ partNumber: part.partNumber, md5: part.digest.md5 }),
        isOld: (grant) => isOldNow(Number(grant.url)),
        lookahead: upTo(40),
      })
      const first = await feed.next()
      // As many as are to be ahead get their grants meanwhile.
      for (let turn = 0; turn < 200; turn++) await settle()
      first?.release()
      return { held, feed, batches, first }
    }
    async function takeAll(feed: Awaited<ReturnType<typeof feedOf>>['feed']) {
      const given: { partNumber: number; grantNumber: number }[] = []
      for (let part = await feed.next(); part; part = await feed.next()) {
        given.push({ partNumber: part.partNumber, grantNumber: Number(part.grant.url) })
        part.release()
      }
      return given.sort((a, b) => a.partNumber - b.partNumber)
    }

    it('asks for all of them again at once, and gives every part out once', async () => {
      let oldUpTo = 0
      const { held, feed, batches } = await feedOf((grantNumber) => grantNumber <= oldUpTo)
      oldUpTo = batches.reduce((sum, count) => sum + count)
      expect(oldUpTo).toBeGreaterThan(30)
      const before = batches.length
      const given = await takeAll(feed)
      expect(given.map(({ partNumber }) => partNumber)).toEqual(allButFirst)
      expect(given.every(({ grantNumber }) => grantNumber > oldUpTo)).toBe(true)
      expect(batches[before]).toBeGreaterThanOrEqual(oldUpTo - 1)
      expect(batches.length - before).toBeLessThanOrEqual(3)
      expect(held.size).toBe(0)
    })

    it('gives parts out all the same when grants are never young', async () => {
      const { held, feed, batches } = await feedOf(() => true)
      expect((await takeAll(feed)).map(({ partNumber }) => partNumber)).toEqual(allButFirst)
      expect(batches.reduce((sum, count) => sum + count)).toBeLessThanOrEqual(120)
      expect(held.size).toBe(0)
    })
  })

  it('throws what preparing threw, and gives the memory of the others back', async () => {
    const { held, prepare } = countingParts()
    const feed = createPartFeed({
      numbers: [1, 2, 3],
      prepare: (partNumber) => (partNumber === 2 ? Promise.reject(new Error('unreadable')) : prepare(partNumber)),
      askGrant: async (part) => grantFor(part.partNumber),
      isOld,
      lookahead: upTo(1),
    })
    const takeAll = async () => {
      for (let part = await feed.next(); part; part = await feed.next()) part.release()
    }
    await expect(takeAll()).rejects.toThrow('unreadable')
    feed.close()
    await settle()
    expect(held.size).toBe(0)
  })

  it('has no more parts once it is closed, for who waits and for who asks later', async () => {
    const { prepare } = countingParts()
    const feed = createPartFeed({
      numbers: [1, 2],
      prepare,
      askGrant: () => new Promise(() => {}),
      isOld,
      lookahead: upTo(1),
    })
    const waiting = feed.next()
    await settle()
    feed.close()
    expect(await Promise.race([waiting, settle().then(() => 'unsettled')])).toBeUndefined()
    expect(await Promise.race([feed.next(), settle().then(() => 'unsettled')])).toBeUndefined()
  })

  it('gives memory back when no grant comes', async () => {
    const { held, prepare } = countingParts()
    const feed = createPartFeed({
      numbers: [1, 2, 3],
      prepare,
      askGrant: () => Promise.reject(new Error('refused')),
      isOld,
      lookahead: upTo(2),
    })
    await expect(feed.next()).rejects.toThrow('refused')
    await settle()
    feed.close()
    await settle()
    expect(held.size).toBe(0)
  })
})

describe('the grant desk', () => {
  it('asks once for parts wanted together, never for more than 100, and fails those the server left out', async () => {
    const asked: number[] = []
    const desk = createGrantDesk(
      {
        async grantParts(_id, parts) {
          asked.push(parts.length)
          return { grants: parts.filter((part) => part.partNumber !== 7).map((part) => grantFor(part.partNumber)) }
        },
      },
      'upl_0',
      createRunGate(),
      new AbortController().signal,
    )
    const wanted = Array.from({ length: 150 }, (_, index) => desk.ask({ partNumber: index + 1, md5: '' }))
    const results = await Promise.allSettled(wanted)
    expect(asked).toEqual([100, 50])
    expect(results.filter((result) => result.status === 'rejected')).toHaveLength(1)
    expect(results[6]).toMatchObject({ status: 'rejected', reason: { code: 'invalid-reply' } })
  })

  it('drops what it asks when the upload is paused, and asks again, together, when it goes on', async () => {
    const gate = createRunGate()
    const living = new AbortController().signal
    const batches: number[] = []
    const desk = createGrantDesk(
      {
        grantParts: (_id, parts, { signal } = {}) =>
          new Promise((resolve, reject) => {
            batches.push(parts.length)
            signal?.addEventListener('abort', () => reject(signal.reason))
            // An outage that lasts as long as the pause.
            if (batches.length > 1) resolve({ grants: parts.map(({ partNumber }) => grantFor(partNumber)) })
          }),
      },
      'upl_0',
      gate,
      living,
    )
    const { prepare } = countingParts()
    const parts = await Promise.all([1, 2, 3].map(prepare))
    const patient = parts.map((part) => askPatiently(desk, part, gate, living))
    const impatient = desk.ask({ partNumber: 4, md5: '' })
    await settle()
    gate.pause()
    await expect(impatient).rejects.toBe(pausedReason)
    await settle()
    expect(batches).toEqual([4])
    gate.resume()
    expect((await Promise.all(patient)).map(({ partNumber }) => partNumber)).toEqual([1, 2, 3])
    expect(batches).toEqual([4, 3])
  })
})
