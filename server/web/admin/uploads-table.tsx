import type { AdminSort, AdminUpload } from '@partway/client/contract'
import { percentOf, sizeText } from '../shared/figures.ts'
import { Moment } from './moment.tsx'
import { firstOrder, isEnded, type UploadFilter } from './upload-filter.ts'
import { costText, exactText, relativeText, shownName, stateWords } from './words.ts'

interface UploadsTableProps {
  uploads: readonly AdminUpload[]
  filter: UploadFilter
  now: number
  /** Of the filter or page before: others are on their way. */
  isOfBefore: boolean
  selected: ReadonlySet<string>
  onSelect: (selected: ReadonlySet<string>) => void
  onSort: (filter: UploadFilter) => void
  onOpen: (id: string) => void
}

export function UploadsTable({ uploads, filter, now, selected, onSelect, onOpen, ...rest }: UploadsTableProps) {
  const choosable = uploads.filter(({ state }) => !isEnded(state))
  const isAll = choosable.length > 0 && selected.size === choosable.length

  function toggle(id: string) {
    const next = new Set(selected)
    if (!next.delete(id)) next.add(id)
    onSelect(next)
  }
  const sortHead = (sort: AdminSort, text: string, name = '') => (
    <SortHead sort={sort} text={text} class={`number ${name}`} filter={filter} onSort={rest.onSort} />
  )

  return (
    <table class={`rows uploads-table${rest.isOfBefore ? ' waiting' : ''}`}>
      <caption class="unseen">Uploads and what they hold</caption>
      <thead>
        <tr>
          <th class="tick">
            <input
              type="checkbox"
              aria-label="Select all on this page"
              checked={isAll}
              indeterminate={selected.size > 0 && !isAll}
              disabled={choosable.length === 0}
              onChange={() => onSelect(new Set(isAll ? [] : choosable.map(({ id }) => id)))}
            />
          </th>
          <th scope="col">File</th>
          <th scope="col" class="wide">
            State
          </th>
          {sortHead('storedBytes', 'Held')}
          <th scope="col" class="number wide">
            A month
          </th>
          {sortHead('lastActivityAt', 'Last activity')}
          {sortHead('createdAt', 'Created', 'wide')}
          <th scope="col" class="number wide">
            Grants end
          </th>
        </tr>
      </thead>
      <tbody>
        {uploads.map((upload) => (
          <tr key={upload.id} class={selected.has(upload.id) ? 'selected' : ''}>
            <td class="tick">
              <input
                type="checkbox"
                aria-label={`Select ${shownName(upload.fileName)}`}
                checked={selected.has(upload.id)}
                disabled={isEnded(upload.state)}
                onChange={() => toggle(upload.id)}
              />
            </td>
            <th scope="row" class="file">
              <button type="button" class="link name" onClick={() => onOpen(upload.id)}>
                <bdi>{shownName(upload.fileName)}</bdi>
              </button>
              <span class="quiet owner">
                <bdi>{shownName(upload.tenant)}</bdi>
                {upload.subject !== upload.tenant && (
                  <>
                    {' / '}
                    <bdi>{shownName(upload.subject)}</bdi>
                  </>
                )}
                {upload.state !== 'uploading' && <span class="narrow"> · {stateWords[upload.state]}</span>}
              </span>
            </th>
            <td class="wide">
              <State upload={upload} />
            </td>
            <td class="number">
              <span title={readText(upload, now)}>{sizeText(upload.storedBytes)}</span>
              <span class="quiet of">
                <span class="wide">{percentOf(upload.storedBytes, upload.sizeBytes)}%</span> of{' '}
                {sizeText(upload.sizeBytes)}
              </span>
            </td>
            <td class="number wide">{costText(upload.monthlyCost)}</td>
            <td class="number">
              <Moment at={upload.lastActivityAt} now={now} />
              {upload.isStale && <span class="stale">stale</span>}
            </td>
            <td class="number wide">
              <Moment at={upload.createdAt} now={now} />
            </td>
            <td class="number wide">
              <Alive until={upload.grantsAliveUntil} now={now} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

interface SortHeadProps {
  sort: AdminSort
  text: string
  class: string
  filter: UploadFilter
  onSort: (filter: UploadFilter) => void
}

function SortHead({ sort, text, class: name, filter, onSort }: SortHeadProps) {
  if (sort === 'storedBytes' && isEnded(filter.state)) {
    return (
      <th scope="col" class={name}>
        {text}
      </th>
    )
  }
  const isOn = filter.sort === sort
  const order = isOn ? (filter.order === 'asc' ? 'desc' : 'asc') : firstOrder(sort, filter.state)
  const direction = filter.order === 'asc' ? 'ascending' : 'descending'
  return (
    <th scope="col" class={name} aria-sort={isOn ? direction : 'none'}>
      <button type="button" class="link sort" onClick={() => onSort({ ...filter, sort, order })}>
        {text}
        <span aria-hidden="true">{isOn ? (filter.order === 'asc' ? ' ↑' : ' ↓') : ''}</span>
      </button>
    </th>
  )
}

function State({ upload: { state, abortReason, isAdopted } }: { upload: AdminUpload }) {
  return (
    <>
      <span class={`state ${state}`}>{stateWords[state]}</span>
      {abortReason !== null && <span class="quiet of">{abortReason}</span>}
      {isAdopted && <span class="quiet of">adopted</span>}
    </>
  )
}

function Alive({ until, now }: { until: string | null; now: number }) {
  if (until === null || Date.parse(until) <= now) return <span class="quiet">–</span>
  return <Moment at={until} now={now} />
}

/** How the bytes are known. */
function readText({ storedBytesReadAt }: AdminUpload, now: number): string {
  if (storedBytesReadAt === null) return 'As the client reported; OSS was not asked yet'
  const at = Date.parse(storedBytesReadAt)
  return `Read from OSS ${relativeText(at, now)}, ${exactText(at)}`
}
