import { useCallback, useEffect, useState } from 'preact/hooks'
import { filterOf, fragmentOf, sensible, type UploadFilter } from './upload-filter.ts'

/** The filter, kept in the address's fragment: going back, a bookmark and a colleague find the same rows. */
export function useFilter(): [UploadFilter, (next: UploadFilter) => void] {
  const [filter, setFilter] = useState(() => filterOf(location.hash))

  useEffect(() => {
    const read = () => setFilter(filterOf(location.hash))
    addEventListener('hashchange', read)
    return () => removeEventListener('hashchange', read)
  }, [])

  const change = useCallback((next: UploadFilter) => {
    const kept = sensible(next)
    setFilter(kept)
    const fragment = fragmentOf(kept)
    const address = `${location.pathname}${location.search}${fragment === '' ? '' : `#${fragment}`}`
    if (fragment !== location.hash.slice(1)) history.pushState(null, '', address)
  }, [])
  return [filter, change]
}
