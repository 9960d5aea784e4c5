/** What decides when a file may be opened. */
export interface LaneFile {
  /** Undefined while nobody knows. */
  readonly sizeBytes: number | undefined
  readonly partSizeBytes: number
  /** Parts it may have in flight at once. */
  readonly parallel: number
}

/** Which files of a queue are open, that is have a task at work, and which one is next. */
export interface FileLanes<File extends LaneFile> {
  /** Those that are open, with those that can do nothing. */
  open(): File[]
  /** `file` waits for its turn: as the last one, or with `isFirst` before those who never had theirs. */
  wait(file: File, isFirst: boolean): void
  /** The next file that may be opened now; it counts as open from here on. */
  next(): File | undefined
  /** Forgets `file`, wherever it is: it has ended or is paused. */
  leave(file: File): void
  /** Asks again what an open `file` takes: its size is known now. */
  resize(file: File): void
  /**
   * An open `file` can do nothing until somebody else has finished, or, with false, can go on. Meanwhile it takes no place from the others
   * in its lane, as long as there are not too many of its kind.
   */
  idle(file: File, isIdle: boolean): void
}

/** What an open file takes: of the places for parts, and of memory, where the platform holds parts in memory. */
interface Load {
  places: number
  bytes: number
}

interface Lane<File> {
  /** Opened once and paused since: they come first. */
  returning: Set<File>
  waiting: Set<File>
  open: Map<File, Load>
  load: Load
  maxPlaces: number
}

/** What one upload takes of memory for its parts, some 4 MiB that are kept and 2 for each that is read, and what the open files of a lane
 *  may come to where it can be helped. */
const keptBytes = 16 * 1_048_576
const laneBytes = 64 * 1_048_576

/**
 * Two lanes, so that neither kind of file waits for the other: files of one part, and all others, those of unknown size among them. A file
 * of one part spends two of its three round trips without a part in flight, so three times `parallel` of them are open. Larger ones are
 * opened until they could use every place twice: one that begins or ends leaves its places to another. Pure.
 */
export function createFileLanes<File extends LaneFile>(parallel: number): FileLanes<File> {
  const small = createLane<File>(3 * parallel)
  const large = createLane<File>(2 * parallel)
  const idling = new Set<File>()
  /** Can do nothing either, but too many others do so already. */
  const stuck = new Set<File>()

  const laneOf = ({ sizeBytes, partSizeBytes }: LaneFile) =>
    sizeBytes !== undefined && sizeBytes <= partSizeBytes ? small : large

  const loadOf = (
    { sizeBytes = Number.POSITIVE_INFINITY, partSizeBytes, parallel: own }: File,
    lane: Lane<File>,
  ): Load => ({
    // Options out of their bounds fail the file when it is opened; here they must only do no harm.
    places: lane === small ? 1 : Math.max(1, Math.min(own, Math.ceil(sizeBytes / partSizeBytes)) || 1),
    bytes: Math.min(keptBytes, sizeBytes),
  })

  function fits(lane: Lane<File>, { bytes }: Load): boolean {
    if (lane.load.places < parallel) return true
    return lane.load.places < lane.maxPlaces && lane.load.bytes + bytes <= laneBytes
  }

  /** Whom all of a lane wait for may be among those who come back to it. */
  function isStuck(lane: Lane<File>): boolean {
    return lane.open.size > 0 && [...lane.open.keys()].every((file) => stuck.has(file))
  }

  function enter(lane: Lane<File>, file: File, load: Load) {
    lane.open.set(file, load)
    lane.load.places += load.places
    lane.load.bytes += load.bytes
  }

  function exit(file: File) {
    stuck.delete(file)
    for (const lane of [small, large]) {
      const load = lane.open.get(file)
      if (!load) continue
      lane.open.delete(file)
      lane.load.places -= load.places
      lane.load.bytes -= load.bytes
      return lane
    }
    return undefined
  }

  return {
    open: () => [...small.open.keys(), ...large.open.keys(), ...idling],
    wait(file, isFirst) {
      const lane = laneOf(file)
      ;(isFirst ? lane.returning : lane.waiting).add(file)
    },
    next() {
      for (const lane of [small, large]) {
        const line = lane.returning.size > 0 ? lane.returning : lane.waiting
        const [file] = line
        if (!file) continue
        const load = loadOf(file, lane)
        if (!fits(lane, load) && !(line === lane.returning && isStuck(lane))) continue
        line.delete(file)
        enter(lane, file, load)
        return file
      }
      return undefined
    },
    leave(file) {
      exit(file)
      idling.delete(file)
      for (const lane of [small, large]) {
        lane.returning.delete(file)
        lane.waiting.delete(file)
      }
    },
    resize(file) {
      const wasStuck = stuck.has(file)
      const lane = exit(file)
      if (!lane) return
      if (wasStuck) stuck.add(file)
      const right = laneOf(file)
      const load = loadOf(file, right)
      // A full lane takes nobody in: the file is about to end where it is.
      if (right === lane || fits(right, load)) enter(right, file, load)
      else enter(lane, file, loadOf(file, lane))
    },
    idle(file, isIdle) {
      if (isIdle) {
        if (idling.size < 3 * parallel) {
          if (exit(file)) idling.add(file)
        } else if (small.open.has(file) || large.open.has(file)) stuck.add(file)
        return
      }
      stuck.delete(file)
      if (idling.delete(file)) {
        const lane = laneOf(file)
        enter(lane, file, loadOf(file, lane))
      }
    },
  }
}

function createLane<File>(maxPlaces: number): Lane<File> {
  return { returning: new Set(), waiting: new Set(), open: new Map(), load: { places: 0, bytes: 0 }, maxPlaces }
}
