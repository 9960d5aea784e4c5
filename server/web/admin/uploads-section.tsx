import type { AdminUpload } from '@partway/client/contract'
import { useEffect, useState } from 'preact/hooks'
import type { Announcer } from '../shared/announcer.ts'
import { countText, sizeText } from '../shared/figures.ts'
import { AbortDialog } from './abort-dialog.tsx'
import type { AdminApi } from './admin-api.ts'
import { FilterForm } from './filter-form.tsx'
import { Pager, useCursors } from './pager.tsx'
import { Panel, Placeholder } from './panel.tsx'
import { isEnded, isFiltered, queryOf, type UploadFilter } from './upload-filter.ts'
import { UploadsTable } from './uploads-table.tsx'
import { REFRESH_MS, useResource } from './use-resource.ts'
import { costText } from './words.ts'

interface UploadsSectionProps {
  api: AdminApi
  announcer: Announcer
  filter: UploadFilter
  onFilter: (filter: UploadFilter) => void
  changes: number
  onChanged: () => void
  onOpen: (id: string) => void
  onTenant: (name: string) => void
  staleAfterSeconds: number | undefined
  tenants: readonly string[]
}

/** The uploads that hold bytes, longest idle first: filtered, sorted, paged, selected and given up. */
export function UploadsSection({ api, announcer, filter, onFilter, changes, onChanged, ...rest }: UploadsSectionProps) {
  const cursors = useCursors(JSON.stringify(filter))
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [aborting, setAborting] = useState<AdminUpload[] | null>(null)
  const list = useResource(
    (signal) => api.call('listAdminUploads', { query: queryOf(filter, cursors.current), signal }),
    JSON.stringify([filter, cursors.current]),
    // Rows that move while somebody chooses among them are rows chosen by mistake.
    { revision: changes, everyMs: selected.size === 0 ? REFRESH_MS : undefined },
  )
  // Only what is seen can be chosen: a row that has left the page is not.
  useEffect(() => {
    const seen = new Set(list.value?.uploads.map(({ id }) => id))
    setSelected((before) => new Set([...before].filter((id) => seen.has(id))))
  }, [list.value])
  const uploads = list.value?.uploads ?? []
  const isNarrowed = isFiltered(filter) || cursors.page > 1
  const chosen = uploads.filter(({ id, state }) => selected.has(id) && !isEnded(state))
  const bytes = chosen.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  const costs = chosen.map(({ monthlyCost }) => monthlyCost).filter((cost) => cost !== null)

  function choose(next: UploadFilter) {
    onFilter(next)
    announcer.say('The table of uploads is read anew')
  }

  return (
    <Panel
      title="Uploads"
      titleId="uploads-title"
      resource={list}
      class="uploads"
      actions={
        filter.tenant !== '' && (
          <button type="button" onClick={() => rest.onTenant(filter.tenant)}>
            Limits of this tenant …
          </button>
        )
      }
    >
      <FilterForm filter={filter} onFilter={choose} staleAfterSeconds={rest.staleAfterSeconds} tenants={rest.tenants} />
      {list.value === undefined ? (
        !list.problem && <Placeholder lines={8} />
      ) : uploads.length === 0 ? (
        <p class="empty">{isNarrowed ? 'No upload is like that.' : 'No upload is unfinished.'}</p>
      ) : (
        <UploadsTable
          uploads={uploads}
          filter={filter}
          now={api.now()}
          isOfBefore={list.isOfBefore}
          selected={new Set(chosen.map(({ id }) => id))}
          onSelect={setSelected}
          onSort={choose}
          onOpen={rest.onOpen}
        />
      )}
      <div class="below">
        <button
          type="button"
          class="danger"
          aria-disabled={chosen.length === 0}
          onClick={() => chosen.length > 0 && setAborting(chosen)}
        >
          Abort {chosen.length > 0 ? countText(chosen.length, 'upload') : 'selected'} …
        </button>
        <p class="quiet" aria-live="polite">
          {chosen.length > 0 &&
            `${sizeText(bytes)} held${costs.length > 0 ? `, ${costText(costs.reduce((sum, cost) => sum + cost, 0))} a month` : ''}`}
        </p>
        <Pager
          cursors={cursors}
          nextCursor={list.value?.nextCursor ?? null}
          isWaiting={list.isOfBefore}
          what="uploads"
        />
      </div>
      {aborting && (
        <AbortDialog
          api={api}
          announcer={announcer}
          uploads={aborting}
          onClose={(isDone) => {
            setAborting(null)
            if (!isDone) return
            setSelected(new Set())
            onChanged()
          }}
        />
      )}
    </Panel>
  )
}
