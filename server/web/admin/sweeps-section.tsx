import type { Sweep } from '@partway/client/contract'
import { useState } from 'preact/hooks'
import type { Announcer } from '../shared/announcer.ts'
import { durationText, sizeText } from '../shared/figures.ts'
import type { AdminApi } from './admin-api.ts'
import { Moment } from './moment.tsx'
import { Pager, useCursors } from './pager.tsx'
import { Panel, Placeholder } from './panel.tsx'
import { SweepDialog, type SweepOrder } from './sweep-dialog.tsx'
import { SweepForm } from './sweep-form.tsx'
import { REFRESH_MS, useResource } from './use-resource.ts'
import { shownName } from './words.ts'

const FOLLOW_MS = 2000
/** A sweep that has not ended after so long has lost its process; another took its uploads over. */
const LOST_AFTER_MS = 30 * 60_000

interface SweepsSectionProps {
  api: AdminApi
  announcer: Announcer
  changes: number
  onChanged: () => void
  staleAfterSeconds: number | undefined
}

/** Reports of sweeps, and a form for one. */
export function SweepsSection({ api, announcer, changes, onChanged, staleAfterSeconds }: SweepsSectionProps) {
  const cursors = useCursors('')
  const [order, setOrder] = useState<SweepOrder | null>(null)
  const [isFollowing, setIsFollowing] = useState(false)
  const list = useResource(
    async (signal) => {
      const cursor = cursors.current
      const reply = await api.call('listSweeps', { query: { limit: '8', ...(cursor ? { cursor } : {}) }, signal })
      setIsFollowing(reply.sweeps.some((sweep) => isUnderWay(sweep, api.now())))
      return reply
    },
    cursors.current ?? '',
    { revision: changes, everyMs: isFollowing ? FOLLOW_MS : REFRESH_MS },
  )
  const sweeps = list.value?.sweeps ?? []
  return (
    <Panel title="Sweeps" resource={list} class="sweeps">
      <SweepForm staleAfterSeconds={staleAfterSeconds} onOrder={setOrder} />
      {list.value === undefined ? (
        !list.problem && <Placeholder lines={4} />
      ) : sweeps.length === 0 ? (
        <p class="empty">No sweep found anything yet.</p>
      ) : (
        <table class="rows">
          <caption class="unseen">Reports of sweeps and aborts, newest first</caption>
          <thead>
            <tr>
              <th scope="col">When and by whom</th>
              <th scope="col" class="number">
                Aborted
              </th>
              <th scope="col" class="number">
                Left
              </th>
              <th scope="col" class="number wide">
                Failed
              </th>
              <th scope="col" class="number">
                Freed
              </th>
            </tr>
          </thead>
          <tbody>
            {sweeps.map((sweep) => (
              <SweepRow key={sweep.id} sweep={sweep} now={api.now()} />
            ))}
          </tbody>
        </table>
      )}
      <div class="below">
        <Pager
          cursors={cursors}
          nextCursor={list.value?.nextCursor ?? null}
          isWaiting={list.isOfBefore}
          what="sweeps"
        />
      </div>
      {order && (
        <SweepDialog
          api={api}
          announcer={announcer}
          order={order}
          onClose={(isDone) => {
            setOrder(null)
            if (isDone) onChanged()
          }}
        />
      )}
    </Panel>
  )
}

function SweepRow({ sweep, now }: { sweep: Sweep; now: number }) {
  const { kind, isDryRun, by, tenant, olderThanSeconds, startedAt, finishedAt } = sweep
  const span = olderThanSeconds === null ? '' : `, idle for ${durationText(olderThanSeconds)}`
  const isOver = finishedAt !== null
  return (
    <tr class={isDryRun ? 'dry' : ''}>
      <th scope="row">
        <Moment at={startedAt} now={now} /> {kind === 'sweep' ? 'sweep' : 'abort'}
        {isDryRun && <span class="tag">dry run</span>}
        {!isOver && <span class="tag live">{isUnderWay(sweep, now) ? 'under way' : 'cut off'}</span>}
        <span class="quiet of">
          <bdi>{by === null ? 'the server' : shownName(by.subject)}</bdi>
          {tenant !== null && (
            <>
              , of <bdi>{shownName(tenant)}</bdi>
            </>
          )}
          {span}, {sweep.examined.toLocaleString('en')} examined
        </span>
      </th>
      <td class="number">
        {sweep.aborted.toLocaleString('en')}
        {sweep.finished > 0 && <span class="quiet of">{sweep.finished.toLocaleString('en')} closed</span>}
      </td>
      <td class="number">{sweep.left.toLocaleString('en')}</td>
      <td class={`number wide${sweep.failed > 0 ? ' warning' : ''}`}>{sweep.failed.toLocaleString('en')}</td>
      <td class="number">{sizeText(sweep.freedBytes)}</td>
    </tr>
  )
}

function isUnderWay({ startedAt, finishedAt }: Sweep, now: number): boolean {
  return finishedAt === null && now - Date.parse(startedAt) < LOST_AFTER_MS
}
