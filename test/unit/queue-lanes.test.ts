import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createFileLanes } from '../../client-sdk/queue/file-lanes.ts'

const MiB = 1_048_576
interface TestFile {
  name: string
  sizeBytes: number | undefined
  partSizeBytes: number
  parallel: number
}

const fileOf = (sizeBytes: number | undefined, parallel = 6, name = ''): TestFile => ({
  name,
  sizeBytes,
  partSizeBytes: 8 * MiB,
  parallel,
})
const isSmall = ({ sizeBytes, partSizeBytes }: TestFile) => sizeBytes !== undefined && sizeBytes <= partSizeBytes
/** Places the file can fill. */
const wanted = (file: TestFile) =>
  Math.min(file.parallel, Math.max(1, Math.ceil((file.sizeBytes ?? Number.POSITIVE_INFINITY) / file.partSizeBytes)))

function lanesWith(parallel: number, files: readonly TestFile[]) {
  const lanes = createFileLanes<TestFile>(parallel)
  for (const file of files) lanes.wait(file, false)
  const openAll = () => {
    const opened: TestFile[] = []
    for (let file = lanes.next(); file; file = lanes.next()) opened.push(file)
    return opened
  }
  return { lanes, openAll }
}

const sizes = fc.oneof(
  fc.constant(0),
  fc.integer({ min: 1, max: 8 * MiB }),
  fc.integer({ min: 8 * MiB + 1, max: 100 * MiB }),
  fc.constant(10_000 * MiB),
  fc.constant(undefined),
)

describe('the lanes of a queue', () => {
  it('keep every place busy that the waiting files of either kind could fill', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(sizes, { maxLength: 60 }), (parallel, all) => {
        const { lanes, openAll } = lanesWith(
          parallel,
          all.map((size) => fileOf(size, parallel)),
        )
        const opened = openAll()
        for (const kind of [true, false]) {
          const isAnyLeft =
            opened.filter((file) => isSmall(file) === kind).length <
            all.filter((size) => isSmall(fileOf(size)) === kind).length
          const places = opened.filter((file) => isSmall(file) === kind).reduce((sum, file) => sum + wanted(file), 0)
          if (isAnyLeft) expect(places).toBeGreaterThanOrEqual(parallel)
        }
        expect(lanes.open().length).toBe(opened.length)
      }),
    )
  })

  it('open a bounded number of files, and of bytes that may be in memory', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(sizes, { maxLength: 200 }),
        fc.array(fc.nat({ max: 1000 }), { maxLength: 200 }),
        (parallel, all, ends) => {
          const { lanes, openAll } = lanesWith(
            parallel,
            all.map((size) => fileOf(size, parallel)),
          )
          openAll()
          for (const which of ends) {
            const open = lanes.open()
            expect(open.length).toBeLessThanOrEqual(5 * parallel)
            const keptBytes = open.reduce((sum, file) => sum + Math.min(16 * MiB, file.sizeBytes ?? 16 * MiB), 0)
            expect(keptBytes).toBeLessThanOrEqual(2 * Math.max(64 * MiB, parallel * 16 * MiB))
            const file = open[which % Math.max(1, open.length)]
            if (file) lanes.leave(file)
            openAll()
          }
        },
      ),
    )
  })

  it('open a small file at once behind any number of big ones, and the other way round', () => {
    for (const parallel of [1, 2, 6, 32]) {
      const bigFirst = lanesWith(parallel, [
        ...Array(50)
          .fill(0)
          .map(() => fileOf(10_000 * MiB, parallel)),
        fileOf(10, parallel, 'small'),
      ])
      expect(bigFirst.openAll().map(({ name }) => name)).toContain('small')
      const smallFirst = lanesWith(parallel, [
        ...Array(500)
          .fill(0)
          .map(() => fileOf(10, parallel)),
        fileOf(10_000 * MiB, parallel, 'big'),
      ])
      expect(smallFirst.openAll().map(({ name }) => name)).toContain('big')
    }
  })

  it('open files of one kind in the order they came, those that come back first', () => {
    const files = Array.from({ length: 30 }, (_, index) => fileOf(MiB, 2, String(index)))
    const { lanes, openAll } = lanesWith(2, files)
    const opened = openAll()
    expect(opened).toEqual(files.slice(0, 6))
    const paused = opened[0] ?? fileOf(0)
    lanes.leave(paused)
    expect(openAll()).toEqual([files[6]])
    lanes.wait(paused, true)
    lanes.leave(opened[1] ?? fileOf(0))
    expect(openAll()).toEqual([paused])
  })

  it('let nobody open who left while waiting', () => {
    const files = Array.from({ length: 5 }, (_, index) => fileOf(20 * MiB, 1, String(index)))
    const { lanes, openAll } = lanesWith(1, files)
    for (const file of files.slice(0, 3)) lanes.leave(file)
    expect(openAll()).toEqual(files.slice(3))
  })

  it('forget a file that comes back and leaves again before its turn', () => {
    const files = Array.from({ length: 10 }, (_, index) => fileOf(MiB, 1, String(index)))
    const { lanes, openAll } = lanesWith(1, files)
    const [first] = openAll()
    if (!first) throw new Error('nothing was opened')
    lanes.leave(first)
    openAll()
    lanes.wait(first, true)
    lanes.leave(first)
    for (const file of lanes.open()) lanes.leave(file)
    expect(openAll()).toEqual(files.slice(4, 7))
  })

  it('weigh what may be in memory against the round trips of small files, but never leave a place empty for it', () => {
    const files = Array.from({ length: 100 }, () => fileOf(8 * MiB))
    expect(lanesWith(6, files).openAll().length).toBe(8)
    expect(lanesWith(12, files).openAll().length).toBe(12)
    const lighter = Array.from({ length: 100 }, () => fileOf(MiB))
    expect(lanesWith(6, lighter).openAll().length).toBe(18)
  })

  it('let another file in when one can do nothing, but not any number of them', () => {
    const files = Array.from({ length: 100 }, (_, index) => fileOf(MiB, 2, String(index)))
    const { lanes, openAll } = lanesWith(2, files)
    for (let turn = 0; turn < 20; turn++) {
      openAll()
      for (const file of lanes.open()) lanes.idle(file, true)
    }
    // Three times `parallel` at work, as many at rest.
    expect(lanes.open().length).toBe(12)
    const first = files[0] ?? fileOf(0)
    lanes.idle(first, false)
    lanes.leave(first)
    expect(openAll()).toEqual([])
  })

  it('let a file come back whom all others may be waiting for, but one at a time', () => {
    const files = Array.from({ length: 100 }, (_, index) => fileOf(MiB, 2, String(index)))
    const { lanes, openAll } = lanesWith(2, files)
    const [sender, second] = openAll()
    if (!sender || !second) throw new Error('nothing was opened')
    // Both are paused; equal files take every place, and wait for them.
    for (const file of [sender, second]) lanes.leave(file)
    for (let turn = 0; turn < 20; turn++) {
      openAll()
      for (const file of lanes.open()) lanes.idle(file, true)
    }
    expect(openAll()).toEqual([])
    for (const file of [sender, second]) lanes.wait(file, true)
    expect(openAll()).toEqual([sender])
    // A file that has left counts for nothing, whatever it says.
    lanes.leave(sender)
    lanes.idle(sender, true)
    expect(openAll()).toEqual([second])
  })

  it('take a file of unknown size for a big one until it turns out to be small', () => {
    const files = Array.from({ length: 10 }, () => fileOf(undefined))
    const { lanes, openAll } = lanesWith(6, files)
    const opened = openAll()
    expect(opened.length).toBe(2)
    for (const file of opened) {
      file.sizeBytes = 10
      lanes.resize(file)
    }
    expect(openAll().length).toBe(2)
    for (let turn = 0; turn < 100; turn++) {
      for (const file of lanes.open()) {
        file.sizeBytes = 10
        lanes.resize(file)
      }
      openAll()
      expect(lanes.open().length).toBeLessThanOrEqual(30)
    }
  })

  it('keep a file of unknown size where it is when there is no room where it belongs', () => {
    const small = Array.from({ length: 500 }, () => fileOf(MiB, 2))
    const unknown = Array.from({ length: 100 }, () => fileOf(undefined, 2))
    const { lanes, openAll } = lanesWith(2, [...small, ...unknown])
    for (let turn = 0; turn < 50; turn++) {
      openAll()
      expect(lanes.open().length).toBeLessThanOrEqual(10)
      for (const file of lanes.open()) {
        if (file.sizeBytes !== undefined) continue
        file.sizeBytes = 10
        lanes.resize(file)
      }
    }
    for (const file of lanes.open()) lanes.leave(file)
    expect(openAll().length).toBe(8)
  })

  it('are not confused by options that are out of all bounds', () => {
    for (const bad of [Number.NaN, -5, 0]) {
      const files = Array.from({ length: 40 }, () => ({ ...fileOf(20 * MiB), partSizeBytes: bad, parallel: bad }))
      const { lanes, openAll } = lanesWith(2, files)
      for (let turn = 0; turn < 50; turn++) {
        openAll()
        for (const file of lanes.open()) lanes.leave(file)
      }
      const good = fileOf(20 * MiB)
      lanes.wait(good, false)
      expect(openAll()).toEqual([good])
    }
  })
})
