import { compareUtf8, type SortedList } from '../files/sorted-list.ts'

/** One line of a listing: an item, or all the items that share a prefix up to the delimiter. */
export type ListingLine<T> = { readonly item: T } | { readonly commonPrefix: string }

export interface KeyPage<T> {
  readonly lines: ReadonlyArray<ListingLine<T>>
  readonly isTruncated: boolean
}

/** One page of a sorted list of keys. `isBeyond` says which items come after the caller's marker; `marker` is that marker's key,
 *  so that a common prefix given before is not given again. A group counts as one line, and its items are skipped, not walked. */
export function pageOfKeys<T extends { readonly key: string }>(
  list: SortedList<T>,
  page: { prefix: string; delimiter: string; marker: string; limit: number; isBeyond: (item: T) => boolean },
): KeyPage<T> {
  const { prefix, delimiter, marker, limit } = page
  const lines: ListingLine<T>[] = []
  let index = Math.max(
    list.firstIndex(page.isBeyond),
    list.firstIndex((item) => compareUtf8(item.key, prefix) >= 0),
  )
  for (;;) {
    const item = list.at(index)
    if (!item?.key.startsWith(prefix)) return { lines, isTruncated: false }
    const cut = delimiter === '' ? -1 : item.key.indexOf(delimiter, prefix.length)
    const group = cut < 0 ? null : item.key.slice(0, cut + delimiter.length)
    const wasGiven = group !== null && group === marker
    if (!wasGiven && lines.length === limit) return { lines, isTruncated: true }
    if (group === null) lines.push({ item })
    else if (!wasGiven) lines.push({ commonPrefix: group })
    index =
      group === null
        ? index + 1
        : list.firstIndex((other) => !other.key.startsWith(group) && compareUtf8(other.key, group) > 0)
  }
}
