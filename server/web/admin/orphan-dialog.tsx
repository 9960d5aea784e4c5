import type { Orphan, OrphanAction, OrphanKind, ResolvedOrphan } from '@partway/client/contract'
import type { Announcer } from '../shared/announcer.ts'
import { countText } from '../shared/figures.ts'
import { ActionDialog, type ActionLine, type ActionReport } from './action-dialog.tsx'
import type { AdminApi } from './admin-api.ts'

export const kindWords: Record<OrphanKind, string> = {
  untracked: 'at OSS without a row',
  direct: 'begun with direct credentials',
  lost: 'row without anything at OSS',
  'completed-outside': 'completed outside',
}

export const actionWords: Record<OrphanAction, { verb: string; advice: string }> = {
  adopt: {
    verb: 'Adopt',
    advice: 'Each gets a row, so that it is counted, shown and swept as every other upload. At OSS nothing changes.',
  },
  abort: {
    verb: 'Abort',
    advice:
      'The stored parts are deleted at OSS and cannot be brought back. What somebody may still be sending is left.',
  },
  close: {
    verb: 'Close',
    advice:
      'Each row is made to say what OSS says: completed where the whole file is there, or else aborted. No object is deleted. Other multipart uploads under the key of an aborted one are discarded at OSS and cannot be brought back.',
  },
}

const outcomes: Record<ResolvedOrphan['outcome'], readonly [would: string, was: string]> = {
  adopted: ['would be adopted', 'adopted'],
  aborted: ['would be aborted', 'aborted'],
  closed: ['would be closed', 'closed'],
  left: ['would be left', 'left'],
  failed: ['cannot be resolved', 'failed'],
}

const reasons: Record<ResolvedOrphan['reason'], string> = {
  done: '',
  'not-an-orphan': 'bucket and table agree about it by now',
  'wrong-action': 'this cannot be done about it',
  'grant-alive': 'a part URL of it can still be used',
  'credential-alive': 'credentials of it can still be used',
  active:
    'it began, or a part of it came, less than an hour ago, or credentials ended so lately that one may be on its way',
  busy: 'something else is being done with it',
  'unknown-owner': 'its key does not tell whose it is',
  'no-parts': 'it has no parts',
  'storage-unavailable': 'OSS cannot be reached',
  'not-in-time': 'there was no time for it, or it is still under way; ask again',
}

const ends: Record<NonNullable<ResolvedOrphan['closedAs']>, string> = {
  completed: 'completed',
  'upload-gone': 'aborted, as there is nothing at OSS',
  integrity: 'aborted, as the object at OSS is not the file that was announced; it stays',
  'key-taken': 'aborted, as somebody else’s object is at OSS; it stays',
  user: 'aborted',
  expired: 'aborted',
}

interface OrphanDialogProps {
  api: AdminApi
  announcer: Announcer
  action: OrphanAction
  orphans: readonly Orphan[]
  onClose: (isDone: boolean) => void
}

/** Does one thing about some orphans, after it was told what that means for each. */
export function OrphanDialog({ api, announcer, action, orphans, onClose }: OrphanDialogProps) {
  const { verb, advice } = actionWords[action]
  return (
    <ActionDialog
      title={`${verb} ${countText(orphans.length, 'orphan')}?`}
      advice={advice}
      confirmText={(count) => `${verb} ${countText(count, 'orphan')}`}
      run={async (dryRun, signal) => {
        const body = { action, ids: orphans.map(({ id }) => id), dryRun }
        const reply = await api.call('resolveOrphans', { body, ...(signal ? { signal } : {}) })
        return resolvedReport(orphans, reply.orphans, dryRun)
      }}
      onClose={(report) => {
        if (report) announcer.say(report.headline)
        onClose(report !== undefined)
      }}
    />
  )
}

function resolvedReport(
  orphans: readonly Orphan[],
  resolved: readonly ResolvedOrphan[],
  isDryRun: boolean,
): ActionReport {
  const lines = resolved.map(({ id, outcome, reason, closedAs }): ActionLine => {
    const orphan = orphans.find((one) => one.id === id)
    const why = closedAs === null ? reasons[reason] : ends[closedAs]
    return {
      id,
      name: orphan?.key ?? id,
      owner: orphan?.tenant ?? null,
      bytes: orphan?.storedBytes ?? null,
      kind: outcome === 'left' || outcome === 'failed' ? outcome : 'done',
      text: `${outcomes[outcome][isDryRun ? 0 : 1]}${why === '' ? '' : `: ${why}`}`,
    }
  })
  const counts = Object.entries(outcomes).flatMap(([outcome, words]) => {
    const count = resolved.filter((one) => one.outcome === outcome).length
    return count === 0 ? [] : [`${countText(count, 'orphan')} ${words[isDryRun ? 0 : 1]}`]
  })
  return { headline: counts.join('; '), lines }
}
