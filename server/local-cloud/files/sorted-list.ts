/** A list kept in order, for listings that begin anywhere: finding a place takes log n steps, and inserting moves memory, which
 *  for some hundred thousand entries is microseconds. */
export class SortedList<T> {
  readonly #compare: (a: T, b: T) => number
  #items: T[]

  constructor(compare: (a: T, b: T) => number, items: T[] = []) {
    this.#compare = compare
    this.#items = items.sort(compare)
  }

  get size(): number {
    return this.#items.length
  }

  at(index: number): T | undefined {
    return this.#items[index]
  }

  /** The index of the first item for which `isBeyond` holds; it must hold for every later one too. */
  firstIndex(isBeyond: (item: T) => boolean): number {
    let low = 0
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const item = this.#items[middle]
      if (item !== undefined && isBeyond(item)) high = middle
      else low = middle + 1
    }
    return low
  }

  /** Adds an item, replacing the one that compares equal. */
  put(item: T): void {
    const index = this.#indexOf(item)
    const there = this.#items[index]
    const isSame = there !== undefined && this.#compare(there, item) === 0
    this.#items.splice(index, isSame ? 1 : 0, item)
  }

  /** Removes the item that compares equal, if there is one. */
  remove(item: T): void {
    const index = this.#indexOf(item)
    const there = this.#items[index]
    if (there !== undefined && this.#compare(there, item) === 0) this.#items.splice(index, 1)
  }

  #indexOf(item: T): number {
    return this.firstIndex((other) => this.#compare(other, item) >= 0)
  }
}

/** Order of the UTF-8 bytes, which is OSS's order of keys. JavaScript's own differs where surrogate pairs meet U+E000 and up. */
export function compareUtf8(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length)
  for (let at = 0; at < shorter; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left !== right) return codePointRank(left) - codePointRank(right)
  }
  return a.length - b.length
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}

/** Sorting once is what makes a start with a hundred thousand entries quick. */
export function groupByBucket<T extends { bucket: string }>(items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(item.bucket)
    if (group) group.push(item)
    else groups.set(item.bucket, [item])
  }
  return groups
}
