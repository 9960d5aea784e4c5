import type { Tenant, TenantLimits } from '@partway/client/contract'
import { useState } from 'preact/hooks'
import { countText } from '../shared/figures.ts'
import type { AdminApi } from './admin-api.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { LimitsForm } from './limits-form.tsx'
import { closeDialog, Modal } from './modal.tsx'
import { Moment } from './moment.tsx'
import { Placeholder, ProblemNote } from './panel.tsx'
import { TenantUsageTable } from './tenant-usage.tsx'
import { changeSentences } from './tenant-words.ts'
import { useResource } from './use-resource.ts'
import { clockText, shownName } from './words.ts'

interface TenantDialogProps {
  api: AdminApi
  name: string
  /** Limits are set by administrators of all tenants. */
  maySetLimits: boolean
  onClose: () => void
}

/** One tenant: what it has and may have, and whether it gets anything at all. */
export function TenantDialog({ api, name, maySetLimits, onClose }: TenantDialogProps) {
  const reading = useResource((signal) => api.call('getTenant', { id: name, signal }), name, { duringDialogs: true })
  const [asked, setAsked] = useState<Change | null>(null)
  const { problem, readAt } = reading
  const tenant = reading.value?.tenant
  return (
    <Modal
      title={
        <>
          Tenant <bdi>{shownName(name)}</bdi>
        </>
      }
      onClose={onClose}
      footer={
        <>
          <button type="button" onClick={closeDialog} autofocus>
            Close
          </button>
          <button type="button" onClick={reading.reload}>
            Read again
          </button>
          {tenant && (
            <button
              type="button"
              class={tenant.suspended ? '' : 'danger'}
              onClick={() => setAsked({ suspended: !tenant.suspended })}
            >
              {tenant.suspended ? 'Lift suspension …' : 'Suspend …'}
            </button>
          )}
          {readAt !== undefined && <p class="read">read {clockText(readAt)}</p>}
        </>
      }
    >
      {problem && <ProblemNote problem={problem} onRetry={reading.reload} />}
      {tenant ? (
        <>
          <Standing tenant={tenant} now={api.now()} />
          <TenantUsageTable tenant={tenant} />
          <h3>Limits of its own</h3>
          {maySetLimits ? (
            <LimitsForm
              key={JSON.stringify(tenant.limits)}
              tenant={tenant}
              onChange={(limits) => setAsked({ limits })}
            />
          ) : (
            <p class="quiet">They are set by administrators of all tenants.</p>
          )}
        </>
      ) : (
        !problem && <Placeholder lines={8} />
      )}
      {asked && tenant && (
        <ChangeDialog
          tenant={tenant}
          change={asked}
          act={() => api.call('updateTenant', { id: name, body: asked })}
          onClose={(wasTried) => {
            setAsked(null)
            if (wasTried) reading.reload()
          }}
        />
      )}
    </Modal>
  )
}

function Standing({ tenant: { suspendedAt }, now }: { tenant: Tenant; now: number }) {
  if (suspendedAt === null) return <p class="standing">It gets uploads, part URLs and credentials.</p>
  return (
    <p class="note bad">
      <span>
        Suspended <Moment at={suspendedAt} now={now} />: it gets no new uploads, part URLs and credentials.
      </span>
    </p>
  )
}

/** One of the two: each is a question of its own. */
type Change = { suspended: boolean } | { limits: Partial<TenantLimits> }

interface ChangeDialogProps {
  tenant: Tenant
  change: Change
  act: () => Promise<unknown>
  onClose: (wasTried: boolean) => void
}

/** What the change means, before it is made. */
function ChangeDialog({ tenant, change, ...rest }: ChangeDialogProps) {
  const name = <bdi>{shownName(tenant.tenant)}</bdi>
  const { openUploads } = tenant.usage
  if ('limits' in change) {
    return (
      <ConfirmDialog
        title={<>Change the limits of {name}?</>}
        confirmText="Change limits"
        doneText="The limits hold from its next upload on."
        {...rest}
      >
        <ul class="changes">
          {changeSentences(tenant, change.limits).map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      </ConfirmDialog>
    )
  }
  if (change.suspended) {
    return (
      <ConfirmDialog title={<>Suspend {name}?</>} confirmText="Suspend" isDanger doneText="It is suspended." {...rest}>
        <p>
          It gets no new uploads, part URLs and credentials, on any server, from its next request on. Nothing of it is
          ended: part URLs and credentials that it has can be used until they expire, and{' '}
          {countText(openUploads, 'open upload')} {openUploads === 1 ? 'stays as it is' : 'stay as they are'}.
        </p>
      </ConfirmDialog>
    )
  }
  return (
    <ConfirmDialog
      title={<>Lift the suspension of {name}?</>}
      confirmText="Lift suspension"
      doneText="It is not suspended any more."
      {...rest}
    >
      <p>It gets uploads, part URLs and credentials again, from its next request on, within its limits.</p>
    </ConfirmDialog>
  )
}
