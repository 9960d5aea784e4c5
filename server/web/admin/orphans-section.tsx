import type { Orphan, OrphanAction, OrphanKind } from '@partway/client/contract'
import { useState } from 'preact/hooks'
import type { Announcer } from '../shared/announcer.ts'
import { countText, sizeText } from '../shared/figures.ts'
import type { AdminApi } from './admin-api.ts'
import { Moment } from './moment.tsx'
import { actionWords, kindWords, OrphanDialog } from './orphan-dialog.tsx'
import { Pager, useCursors } from './pager.tsx'
import { Panel, Placeholder } from './panel.tsx'
import { useResource } from './use-resource.ts'
import { shownName } from './words.ts'

/** The server resolves at most so many at once. */
const MOST_SELECTED = 50
const actions: readonly OrphanAction[] = ['adopt', 'abort', 'close']
const kinds = ['untracked', 'direct', 'lost', 'completed-outside'] as const

interface OrphansSectionProps {
  api: AdminApi
  announcer: Announcer
  onChanged: () => void
}

/** Where bucket and table disagree. Read only when asked: each reading is some requests to OSS. */
export function OrphansSection({ api, announcer, onChanged }: OrphansSectionProps) {
  const [kind, setKind] = useState<OrphanKind | null>(null)
  const cursors = useCursors(kind ?? '')
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [resolving, setResolving] = useState<{ action: OrphanAction; orphans: Orphan[] } | null>(null)
  const list = useResource(
    (signal) => {
      const cursor = cursors.current
      const query = { ...(kind === null ? {} : { kind }), ...(cursor === null ? {} : { cursor }) }
      return api.call('listOrphans', { query, signal })
    },
    JSON.stringify([kind, cursors.current]),
  )
  const orphans = list.value?.orphans ?? []
  const chosen = orphans.filter(({ id }) => selected.has(id))

  function toggle(id: string) {
    const next = new Set(chosen.map((orphan) => orphan.id))
    if (!next.delete(id)) next.add(id)
    setSelected(next)
  }

  return (
    <Panel
      title="Orphans"
      resource={list}
      class="orphans"
      actions={
        <button type="button" onClick={list.reload} aria-label="Compare again: bucket and table">
          Compare again
        </button>
      }
    >
      <form class="filter" aria-label="Filter orphans" onSubmit={(event) => event.preventDefault()}>
        <label>
          Kind
          <select
            value={kind ?? ''}
            onChange={({ currentTarget: { value } }) => setKind((value || null) as OrphanKind | null)}
          >
            <option value="">any</option>
            {kinds.map((one) => (
              <option key={one} value={one}>
                {kindWords[one]}
              </option>
            ))}
          </select>
        </label>
        {list.value && (
          <p class="quiet">
            {list.value.compared.toLocaleString('en')} {list.value.compared === 1 ? 'entry' : 'entries'} compared
            {list.value.unanswered > 0 &&
              `; OSS gave no answer about ${list.value.unanswered.toLocaleString('en')} of them, so they are not shown`}
          </p>
        )}
      </form>
      {list.value === undefined ? (
        !list.problem && <Placeholder lines={4} />
      ) : orphans.length === 0 ? (
        <p class="empty">
          {list.value.unanswered > 0
            ? 'Where OSS answered, bucket and table agree.'
            : list.value.nextCursor === null && cursors.page === 1
              ? 'Bucket and table agree.'
              : 'On this page bucket and table agree.'}
        </p>
      ) : (
        <OrphansTable
          orphans={orphans}
          now={api.now()}
          isOfBefore={list.isOfBefore}
          selected={new Set(chosen.map(({ id }) => id))}
          onToggle={toggle}
        />
      )}
      <div class="below">
        {actions.map((action) => {
          const able = chosen.filter((orphan) => orphan.actions.includes(action))
          const isPossible = able.length > 0 && able.length <= MOST_SELECTED
          return (
            <button
              key={action}
              type="button"
              class={action === 'abort' ? 'danger' : ''}
              aria-disabled={!isPossible}
              onClick={() => isPossible && setResolving({ action, orphans: able })}
            >
              {actionWords[action].verb} {able.length > 0 ? able.length : ''} …
            </button>
          )
        })}
        {chosen.length > MOST_SELECTED && <p class="quiet">At most {MOST_SELECTED} at once.</p>}
        <Pager
          cursors={cursors}
          nextCursor={list.value?.nextCursor ?? null}
          isWaiting={list.isOfBefore}
          what="orphans"
        />
      </div>
      {resolving && (
        <OrphanDialog
          api={api}
          announcer={announcer}
          {...resolving}
          onClose={(isDone) => {
            setResolving(null)
            if (!isDone) return
            setSelected(new Set())
            list.reload()
            onChanged()
          }}
        />
      )}
    </Panel>
  )
}

interface OrphansTableProps {
  orphans: readonly Orphan[]
  now: number
  /** Of the kind or page before: others are on their way. */
  isOfBefore: boolean
  selected: ReadonlySet<string>
  onToggle: (id: string) => void
}

function OrphansTable({ orphans, now, isOfBefore, selected, onToggle }: OrphansTableProps) {
  return (
    <table class={`rows${isOfBefore ? ' waiting' : ''}`}>
      <caption class="unseen">Where bucket and table disagree</caption>
      <thead>
        <tr>
          <th class="tick">
            <span class="unseen">Select</span>
          </th>
          <th scope="col">Key</th>
          <th scope="col" class="number">
            Held
          </th>
          <th scope="col" class="number">
            Started
          </th>
        </tr>
      </thead>
      <tbody>
        {orphans.map(({ id, kind, key, tenant, storedBytes, partCount, startedAt, ...orphan }) => (
          <tr key={id} class={selected.has(id) ? 'selected' : ''}>
            <td class="tick">
              <input
                type="checkbox"
                aria-label={`Select ${shownName(key)}`}
                checked={selected.has(id)}
                disabled={orphan.actions.length === 0}
                onChange={() => onToggle(id)}
              />
            </td>
            <th scope="row" class="file">
              <span class="name">
                <bdi>{shownName(key)}</bdi>
              </span>
              <span class="quiet of">
                {kindWords[kind]}
                {tenant !== null && (
                  <>
                    , of <bdi>{shownName(tenant)}</bdi>
                  </>
                )}
                {orphan.credentialsAliveUntil !== null && Date.parse(orphan.credentialsAliveUntil) > now && (
                  <>
                    , credentials end <Moment at={orphan.credentialsAliveUntil} now={now} />
                  </>
                )}
              </span>
            </th>
            <td class="number">
              {storedBytes === null ? '–' : sizeText(storedBytes)}
              {partCount !== null && <span class="quiet of">{countText(partCount, 'part')}</span>}
            </td>
            <td class="number">{startedAt === null ? '–' : <Moment at={startedAt} now={now} />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
