import { describe, expect, it } from 'vitest'
import { createLineSpeed, longestWaitMs } from '../../client-sdk/line-speed.ts'

const MiB = 1_048_576

describe('the time bytes in buffers may take', () => {
  it('is none while nobody knows the speed', () => {
    const line = createLineSpeed()
    expect(line.drainMs(0, 0)).toBe(0)
    expect(line.drainMs(3 * MiB, 10)).toBe(0)
  })

  it('covers four MiB at the speed at which this attempt has got rid of the rest', () => {
    // 8 MiB handed over in 70 s: 4 MiB of them have left at 60 KB/s, the other 4 MiB need 70 s more.
    expect(createLineSpeed().drainMs(8 * MiB, 70_000)).toBeGreaterThanOrEqual(70_000)
  })

  it('follows what whole parts have taken, the slower of both, but not tiny ones', () => {
    const line = createLineSpeed()
    line.stored(9, 5000)
    expect(line.drainMs(MiB, 1)).toBe(0)
    line.stored(2 * MiB, 40_000)
    expect(line.drainMs(MiB, 1)).toBe(40_000)
    expect(line.drainMs(8 * MiB, 1)).toBe(160_000)
  })

  it('ends after five minutes, however slow the line was', () => {
    const line = createLineSpeed()
    line.stored(2 * MiB, 3_600_000)
    expect(line.drainMs(8 * MiB, 1)).toBe(longestWaitMs)
  })
})
