import type { AdminUpload } from '@partway/client/contract'
import type { Announcer } from '../shared/announcer.ts'
import { countText } from '../shared/figures.ts'
import { ActionDialog } from './action-dialog.tsx'
import type { AdminApi } from './admin-api.ts'
import { sweptReport } from './swept-words.ts'

interface AbortDialogProps {
  api: AdminApi
  announcer: Announcer
  /** 1 to 100. */
  uploads: readonly Pick<AdminUpload, 'id'>[]
  onClose: (isDone: boolean) => void
}

/** Gives some uploads up, after it was told what that means for each. */
export function AbortDialog({ api, announcer, uploads, onClose }: AbortDialogProps) {
  const ids = uploads.map(({ id }) => id)
  return (
    <ActionDialog
      title={`Abort ${countText(ids.length, 'upload')}?`}
      advice="The stored parts are deleted at OSS and cannot be brought back. Whoever was sending must start again. OSS is asked once more before each: what somebody may still be sending is left."
      confirmText={(count) => `Abort ${countText(count, 'upload')}`}
      run={async (dryRun, signal) => {
        const reply = await api.call('abortUploads', { body: { ids, dryRun }, ...(signal ? { signal } : {}) })
        return sweptReport(reply.sweep, reply.uploads, api.now())
      }}
      onClose={(report) => {
        if (report) announcer.say(report.headline)
        onClose(report !== undefined)
      }}
    />
  )
}
