import type { AdminUploadDetail } from '@partway/client/contract'
import { useState } from 'preact/hooks'
import type { Announcer } from '../shared/announcer.ts'
import { AbortDialog } from './abort-dialog.tsx'
import type { AdminApi } from './admin-api.ts'
import { Lanes } from './lanes.tsx'
import { closeDialog, Modal } from './modal.tsx'
import { Placeholder, ProblemNote } from './panel.tsx'
import { PartsPicture } from './parts-picture.tsx'
import { PartsTable } from './parts-table.tsx'
import { Timeline } from './timeline-list.tsx'
import { UploadFacts } from './upload-facts.tsx'
import { isEnded } from './upload-filter.ts'
import { useResource } from './use-resource.ts'
import { clockText, shownName } from './words.ts'

interface UploadDialogProps {
  api: AdminApi
  announcer: Announcer
  id: string
  onChanged: () => void
  onTenant: (name: string) => void
  onClose: () => void
}

/** All that is known of one upload: its life, its parts, its facts. */
export function UploadDialog({ api, announcer, id, onChanged, onTenant, onClose }: UploadDialogProps) {
  const detail = useResource((signal) => api.call('getAdminUpload', { id, signal }), id, {
    duringDialogs: true,
  })
  const [isAborting, setIsAborting] = useState(false)
  const { value, problem, readAt } = detail
  return (
    <Modal
      title={value ? <bdi>{shownName(value.upload.fileName)}</bdi> : 'Upload'}
      class="sheet"
      onClose={onClose}
      footer={
        <>
          <button type="button" onClick={closeDialog} autofocus>
            Close
          </button>
          <button type="button" onClick={detail.reload}>
            Read again
          </button>
          {value && !isEnded(value.upload.state) && (
            <button type="button" class="danger" onClick={() => setIsAborting(true)}>
              Abort …
            </button>
          )}
          {readAt !== undefined && <p class="read">read {clockText(readAt)}</p>}
        </>
      }
    >
      {problem && <ProblemNote problem={problem} onRetry={detail.reload} />}
      {value ? <Known api={api} detail={value} onTenant={onTenant} /> : !problem && <Placeholder lines={12} />}

      {isAborting && value && (
        <AbortDialog
          api={api}
          announcer={announcer}
          uploads={[value.upload]}
          onClose={(isDone) => {
            setIsAborting(false)
            if (!isDone) return
            detail.reload()
            onChanged()
          }}
        />
      )}
    </Modal>
  )
}

interface KnownProps extends Pick<UploadDialogProps, 'api' | 'onTenant'> {
  detail: AdminUploadDetail
}

function Known({ api, detail, onTenant }: KnownProps) {
  const now = api.now()
  return (
    <>
      <UploadFacts detail={detail} now={now} onTenant={onTenant} />
      <h3>Parts</h3>
      <PartsPicture detail={detail} />
      {detail.parts.length > 0 && (
        <PartsTable
          key={detail.upload.id}
          api={api}
          uploadId={detail.upload.id}
          first={detail.parts}
          nextAfter={detail.nextPartsAfter}
        />
      )}
      <h3>Timeline</h3>
      <Lanes detail={detail} now={now} />
      <Timeline detail={detail} now={now} />
    </>
  )
}
