import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createProgressMeter, type UploadProgress } from '../../client-sdk/progress.ts'
import { createProgressReports } from '../../client-sdk/progress-reports.ts'

/** Any life of an upload of equal parts: bytes move, attempts fail, parts arrive and get lost again. */
const lives = fc.array(
  fc.record({
    kind: fc.constantFrom('sending', 'retract', 'stored', 'lost'),
    part: fc.integer({ min: 1, max: 5 }),
    bytes: fc.integer({ min: 0, max: 100 }),
    ms: fc.integer({ min: 0, max: 2000 }),
  }),
  { maxLength: 80 },
)

describe('progress', () => {
  it('never goes backwards, never passes the total, and reports the total once', () => {
    fc.assert(
      fc.property(lives, (life) => {
        let now = 0
        const meter = createProgressMeter(500, () => now)
        const seen: UploadProgress[] = []
        const reports = createProgressReports(
          meter,
          (progress) => seen.push(progress),
          0,
          () => now,
        )
        const stored = new Set<number>()
        const finish = (part: number) => {
          meter.sending(part, 100)
          meter.stored(part, 100)
          stored.add(part)
        }
        meter.begin(0)
        reports.now()
        for (const { kind, part, bytes, ms } of life) {
          now += ms
          if (kind === 'sending' && !stored.has(part)) meter.sending(part, bytes)
          if (kind === 'retract' && !stored.has(part)) meter.retract(part)
          if (kind === 'stored' && !stored.has(part)) finish(part)
          if (kind === 'lost' && stored.delete(part)) meter.lost(part, 100)
          reports.moved()
        }
        for (let part = 1; part <= 5; part++) if (!stored.has(part)) finish(part)
        reports.moved()
        const amounts = seen.map((progress) => progress.currentBytes)
        expect(amounts).toEqual([...amounts].sort((a, b) => a - b))
        expect(amounts.filter((amount) => amount === 500)).toHaveLength(1)
        expect(amounts.at(-1)).toBe(500)
        expect(amounts.every((amount) => amount >= 0 && amount <= 500)).toBe(true)
      }),
    )
  })

  it('shows the total only when every part is stored, not while the last bytes are in flight', () => {
    const meter = createProgressMeter(200, () => 0)
    meter.begin(100)
    meter.sending(2, 100)
    expect(meter.read().currentBytes).toBe(199)
    meter.stored(2, 100)
    expect(meter.read().currentBytes).toBe(200)
  })

  it('counts bytes sent in vain as sent, and not as progress', () => {
    const meter = createProgressMeter(300, () => 0)
    meter.begin(0)
    meter.sending(1, 80)
    meter.retract(1)
    meter.sending(1, 100)
    meter.stored(1, 100)
    expect(meter.read()).toMatchObject({ sentBytes: 180, currentBytes: 100 })
  })

  it('reports restored bytes first and does not take them for speed', () => {
    let now = 0
    const meter = createProgressMeter(1000, () => now)
    const seen: UploadProgress[] = []
    const reports = createProgressReports(
      meter,
      (progress) => seen.push(progress),
      100,
      () => now,
    )
    meter.begin(600)
    reports.now()
    now = 1000
    meter.sending(7, 50)
    expect(seen[0]).toMatchObject({ currentBytes: 600, restoredBytes: 600, bytesPerSecond: 0, etaSeconds: null })
    expect(meter.read()).toMatchObject({ bytesPerSecond: 50, etaSeconds: 7 })
  })

  it('follows a change of speed within seconds', () => {
    let now = 0
    const meter = createProgressMeter(1_000_000, () => now)
    meter.begin(0)
    let sent = 0
    const run = (seconds: number, perSecond: number) => {
      for (let step = 0; step < seconds * 4; step++) {
        now += 250
        sent += perSecond / 4
        meter.sending(1, sent)
      }
    }
    run(10, 1000)
    expect(meter.read().bytesPerSecond).toBe(1000)
    run(3, 5000)
    expect(meter.read().bytesPerSecond).toBe(3000)
    run(30, 5000)
    expect(meter.read().bytesPerSecond).toBeGreaterThan(4900)
  })

  it('says of an empty file that it is all there', () => {
    const seen: number[] = []
    const meter = createProgressMeter(0, () => 0)
    const reports = createProgressReports(
      meter,
      (progress) => seen.push(progress.totalBytes),
      0,
      () => 0,
    )
    meter.begin(0)
    reports.now()
    reports.moved()
    expect(seen).toEqual([0])
  })

  it('goes on when the caller’s callback throws', () => {
    const meter = createProgressMeter(1, () => 0)
    const reports = createProgressReports(
      meter,
      () => {
        throw new Error('a display that fails')
      },
      0,
      () => 0,
    )
    expect(() => reports.now()).not.toThrow()
  })
})
