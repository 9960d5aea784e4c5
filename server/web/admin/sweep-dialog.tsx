import type { Announcer } from '../shared/announcer.ts'
import { countText, durationText, sizeText } from '../shared/figures.ts'
import { ActionDialog } from './action-dialog.tsx'
import type { AdminApi } from './admin-api.ts'
import { sweptReport } from './swept-words.ts'
import { useResource } from './use-resource.ts'
import { shownName } from './words.ts'

export interface SweepOrder {
  /** An hour or more. */
  olderThanSeconds: number
  /** 1 to 1,000. */
  limit: number
  tenant?: string
}

interface SweepDialogProps {
  api: AdminApi
  announcer: Announcer
  order: SweepOrder
  onClose: (isDone: boolean) => void
}

/** A dry run, and after it, if wanted, the sweep itself. */
export function SweepDialog({ api, announcer, order, onClose }: SweepDialogProps) {
  const { olderThanSeconds, limit, tenant } = order
  const whose = tenant === undefined ? '' : ` of ${shownName(tenant)}`
  return (
    <ActionDialog
      title={`Sweep uploads${whose} that are idle for ${durationText(olderThanSeconds)}?`}
      advice={`The longest idle come first, ${countText(limit, 'upload')} at most. Stored parts of those that are aborted are deleted at OSS and cannot be brought back. OSS is asked once more before each: what somebody may still be sending is left.`}
      confirmText={(count) => `Sweep ${countText(count, 'upload')}`}
      run={async (dryRun, signal) => {
        const reply = await api.call('sweepUploads', { body: { ...order, dryRun }, ...(signal ? { signal } : {}) })
        return { ...sweptReport(reply.sweep, reply.uploads, api.now()), more: reply.more }
      }}
      progress={<SweepProgress api={api} />}
      onClose={(report) => {
        if (report) announcer.say(report.headline)
        onClose(report !== undefined)
      }}
    />
  )
}

/** How far the sweep is that began last. */
function SweepProgress({ api }: { api: AdminApi }) {
  const list = useResource((signal) => api.call('listSweeps', { query: { limit: '1' }, signal }), '', {
    everyMs: 2000,
    duringDialogs: true,
  })
  const latest = list.value?.sweeps[0]
  if (!latest || latest.isDryRun || latest.finishedAt !== null) return null
  return (
    <p class="quiet">
      {latest.examined.toLocaleString('en')} examined, {latest.aborted.toLocaleString('en')} aborted,{' '}
      {sizeText(latest.freedBytes)} freed so far
    </p>
  )
}
