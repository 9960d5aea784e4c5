import { useEffect, useState } from 'preact/hooks'

/** Where one is in a list that the server pages: the cursors of the pages before, and of this one. Null is the first page. */
export interface Cursors {
  current: string | null
  page: number
  next(cursor: string): void
  previous(): void
}

/** Begins anew whenever `key` changes: a cursor is of its filters. */
export function useCursors(key: string): Cursors {
  const [state, setState] = useState<{ key: string; stack: readonly (string | null)[] }>({ key, stack: [null] })
  useEffect(() => setState({ key, stack: [null] }), [key])
  // Already while the change is under way, so that no old cursor is asked for with new filters.
  const stack = state.key === key ? state.stack : [null]
  return {
    current: stack.at(-1) ?? null,
    page: stack.length,
    next: (cursor) => setState({ key, stack: [...stack, cursor] }),
    previous: () => setState({ key, stack: stack.length > 1 ? stack.slice(0, -1) : stack }),
  }
}

interface PagerProps {
  cursors: Cursors
  nextCursor: string | null
  /** `nextCursor` is of the page before: nothing to go on from until this one has come. */
  isWaiting: boolean
  /** For those who hear the buttons: `uploads`. */
  what: string
}

/** Nothing for a list of one page. The buttons stay where they are at the ends, so that the keyboard does too. */
export function Pager({ cursors, nextCursor, isWaiting, what }: PagerProps) {
  if (cursors.page === 1 && nextCursor === null) return null
  const next = isWaiting ? null : nextCursor
  return (
    <nav class="pager" aria-label={`Pages of ${what}`}>
      <button
        type="button"
        aria-disabled={cursors.page === 1}
        onClick={cursors.previous}
        aria-label={`Previous page of ${what}`}
      >
        Previous
      </button>
      <span class="quiet" aria-live="polite">
        Page {cursors.page}
      </span>
      <button
        type="button"
        aria-disabled={next === null}
        onClick={() => next !== null && cursors.next(next)}
        aria-label={`Next page of ${what}`}
      >
        Next
      </button>
    </nav>
  )
}
