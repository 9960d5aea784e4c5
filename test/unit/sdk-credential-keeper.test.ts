import { describe, expect, it } from 'vitest'
import { pausedReason } from '../../client-sdk/run-gate.ts'
import { createCredentialKeeper } from '../../client-sdk/sts/credential-keeper.ts'

/** A keeper with a clock that is set by hand, and asks that are answered by hand. */
function startKeeper(lifeSeconds = 900) {
  let nowMs = Date.parse('2026-01-01T00:00:00Z')
  const asks: { isUrgent: boolean; answer(): void; fail(reason?: unknown): void }[] = []
  const keeper = createCredentialKeeper(
    (isUrgent) =>
      new Promise<{ number: number; expiresAt: string }>((resolve, reject) => {
        const number = asks.length + 1
        asks.push({
          isUrgent,
          answer: () => resolve({ number, expiresAt: new Date(nowMs + lifeSeconds * 1000).toISOString() }),
          fail: (reason) => reject(reason ?? new Error(`ask ${number} failed`)),
        })
      }),
    { nowMs: () => nowMs, learn() {} },
  )
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  const answer = async (index: number) => {
    await settled()
    asks[index]?.answer()
    await settled()
  }
  const fail = async (index: number, reason?: unknown) => {
    await settled()
    asks[index]?.fail(reason)
    await settled()
  }
  return {
    keeper,
    asks,
    pass: (seconds: number) => {
      nowMs += seconds * 1000
    },
    async first() {
      const got = keeper.get()
      await answer(0)
      return got
    },
    settled,
    answer,
    fail,
  }
}

describe('credentials that many parts want', () => {
  it('are asked for once by all who want them at once', async () => {
    const { keeper, asks, answer } = startKeeper()
    const all = Array.from({ length: 32 }, () => keeper.get())
    await answer(0)
    expect((await Promise.all(all)).every(({ number }) => number === 1)).toBe(true)
    expect(asks).toHaveLength(1)
  })

  it('are renewed with half of their life left, while everybody goes on with the old ones', async () => {
    const world = startKeeper()
    await world.first()
    world.pass(449)
    expect((await world.keeper.get()).number).toBe(1)
    expect(world.asks).toHaveLength(1)
    world.pass(1)
    expect((await world.keeper.get()).number).toBe(1)
    expect((await world.keeper.get()).number).toBe(1)
    expect(world.asks.map(({ isUrgent }) => isUrgent)).toEqual([true, false])
    await world.answer(1)
    expect((await world.keeper.get()).number).toBe(2)
  })

  it('that live long are renewed when 7.5 minutes are left, not earlier', async () => {
    const world = startKeeper(43_200)
    await world.first()
    world.pass(43_200 - 451)
    await world.keeper.get()
    expect(world.asks).toHaveLength(1)
    world.pass(1)
    await world.keeper.get()
    expect(world.asks).toHaveLength(2)
  })

  it('whose renewal fails are used on, and asked for again after a pause', async () => {
    const world = startKeeper()
    await world.first()
    world.pass(500)
    await world.keeper.get()
    await world.fail(1)
    expect((await world.keeper.get()).number).toBe(1)
    expect(world.asks).toHaveLength(2)
    world.pass(20)
    expect((await world.keeper.get()).number).toBe(1)
    expect(world.asks).toHaveLength(3)
  })

  it('about to die are waited for: a renewal under way first, then one that may take its time', async () => {
    const world = startKeeper()
    await world.first()
    world.pass(500)
    await world.keeper.get()
    world.pass(380)
    const late = world.keeper.get()
    await world.settled()
    expect(world.asks).toHaveLength(2)
    await world.fail(1)
    expect(world.asks.map(({ isUrgent }) => isUrgent)).toEqual([true, false, true])
    await world.answer(2)
    expect((await late).number).toBe(3)
  })

  it('that were refused are replaced once, also for the one who says so last', async () => {
    const world = startKeeper()
    const old = await world.first()
    world.keeper.refuse(old)
    const next = world.keeper.get()
    await world.answer(1)
    expect((await next).number).toBe(2)
    world.keeper.refuse(old)
    expect((await world.keeper.get()).number).toBe(2)
    expect(world.asks).toHaveLength(2)
  })

  it('that may be dead are renewed, and used on when that fails; asked for again only after a pause', async () => {
    const world = startKeeper()
    const old = await world.first()
    const doubting = Promise.all([world.keeper.doubt(old), world.keeper.doubt(old)])
    await world.fail(1)
    await doubting
    expect((await world.keeper.get()).number).toBe(1)
    await world.keeper.doubt(old)
    expect(world.asks.map(({ isUrgent }) => isUrgent)).toEqual([true, false])
    world.pass(20)
    const again = world.keeper.doubt(old)
    await world.answer(2)
    await again
    expect((await world.keeper.get()).number).toBe(3)
    await world.keeper.doubt(old)
    expect(world.asks).toHaveLength(3)
  })

  it('are doubted anew, at once, where a pause dropped the asking, and whoever doubts is told of the pause', async () => {
    const world = startKeeper()
    const old = await world.first()
    const doubting = [world.keeper.doubt(old), world.keeper.doubt(old)].map((doubt) =>
      expect(doubt).rejects.toBe(pausedReason),
    )
    await world.fail(1, pausedReason)
    await Promise.all(doubting)
    const again = world.keeper.doubt(old)
    await world.answer(2)
    await again
    expect((await world.keeper.get()).number).toBe(3)
  })

  it('that seem dead when they come are tried all the same, not asked for with every part', async () => {
    const world = startKeeper(-3600)
    await world.first()
    for (let part = 0; part < 10; part++) expect((await world.keeper.get()).number).toBe(1)
    expect(world.asks).toHaveLength(1)
  })

  it('are asked for again after a failure that somebody heard', async () => {
    const { keeper, answer, fail } = startKeeper()
    const failing = expect(keeper.get()).rejects.toThrow('ask 1 failed')
    await fail(0)
    await failing
    const next = keeper.get()
    await answer(1)
    expect((await next).number).toBe(2)
  })
})
