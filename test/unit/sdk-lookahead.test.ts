import { describe, expect, it } from 'vitest'
import { type Clock, systemClock } from '../../client-sdk/clock.ts'
import { createLookahead } from '../../client-sdk/lookahead.ts'

const MiB = 1_048_576

/** A lookahead whose parts are stored one every `ms` from now on. */
function line(parallel: number, partSizeBytes: number) {
  let nowMs = 1_000_000
  const clock: Clock = { ...systemClock, nowMs: () => nowMs }
  const lookahead = createLookahead(parallel, { partSizeBytes }, clock)
  return {
    lookahead,
    wait: (ms: number) => {
      nowMs += ms
    },
    store(count: number, everyMs: number) {
      for (let index = 0; index < count; index++) {
        nowMs += everyMs
        lookahead.stored()
      }
    },
  }
}

describe('how far ahead parts are hashed and granted', () => {
  it('begins with two parts for each sender, or as many as are 64 MiB, and at least one', () => {
    expect(line(4, 1 * MiB).lookahead.bounds(true, 1000).ahead).toBe(8)
    expect(line(4, 8 * MiB).lookahead.bounds(true, 1000).ahead).toBe(8)
    expect(line(4, 20 * MiB).lookahead.bounds(true, 1000).ahead).toBe(3)
    expect(line(4, 5120 * MiB).lookahead.bounds(true, 1000).ahead).toBe(1)
  })

  it('grows to what two seconds take, within 256 MiB and one request', () => {
    const quick = line(4, 8 * MiB)
    // Four that end together say nothing of the line.
    quick.store(15, 0)
    expect(quick.lookahead.bounds(true, 1000)).toEqual({ ahead: 8, batch: 4 })
    quick.store(16, 100)
    expect(quick.lookahead.bounds(true, 1000)).toEqual({ ahead: 20, batch: 10 })
    quick.store(16, 10)
    expect(quick.lookahead.bounds(true, 1000).ahead).toBe(32)
    const small = line(4, 1 * MiB)
    small.store(16, 5)
    expect(small.lookahead.bounds(true, 1000).ahead).toBe(100)
    const large = line(4, 512 * MiB)
    large.store(16, 5)
    expect(large.lookahead.bounds(true, 1000).ahead).toBe(1)
  })

  it('asks while a sender waits for half of that, of what is left towards the end, and for half of the least at least', () => {
    const quick = line(4, 8 * MiB)
    quick.store(16, 10)
    const batches = [200, 32, 31, 20, 9, 8, 1].map((left) => quick.lookahead.bounds(true, left).batch)
    expect(batches).toEqual([16, 16, 16, 10, 5, 4, 4])
    expect(line(1, 512 * MiB).lookahead.bounds(true, 9).batch).toBe(1)
  })

  it('stays small where parts are signed here and cost no request', () => {
    const quick = line(4, 1 * MiB)
    quick.store(16, 10)
    expect(quick.lookahead.bounds(false, 1000).ahead).toBe(8)
    expect(quick.lookahead.bounds(true, 1000).ahead).toBe(100)
  })

  it('falls again with the line, also while nothing is stored at all', () => {
    const fading = line(4, 1 * MiB)
    fading.store(16, 10)
    expect(fading.lookahead.bounds(true, 1000).ahead).toBe(100)
    fading.wait(850)
    expect(fading.lookahead.bounds(true, 1000).ahead).toBe(30)
    fading.wait(60_000)
    expect(fading.lookahead.bounds(true, 1000).ahead).toBe(8)
    fading.store(16, 100)
    expect(fading.lookahead.bounds(true, 1000).ahead).toBe(20)
  })
})
