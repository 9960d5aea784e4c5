import type { Lifecycle } from '@partway/client/contract'
import { Fragment } from 'preact'
import { useState } from 'preact/hooks'
import type { AdminApi } from './admin-api.ts'
import { ConfirmDialog } from './confirm-dialog.tsx'
import { Panel, Placeholder } from './panel.tsx'
import { type Resource, useResource } from './use-resource.ts'
import { shownName } from './words.ts'

/** The bucket's own rules, judged. They are everybody's, so only an administrator of all tenants sees them. */
export function BucketSections({ api }: { api: AdminApi }) {
  const lifecycle = useResource((signal) => api.call('getLifecycle', { signal }), '')
  const cors = useResource((signal) => api.call('getCors', { signal }), '')
  if (lifecycle.problem?.status === 403 && cors.problem?.status === 403) {
    return (
      <p class="section quiet">
        The bucket’s lifecycle and CORS rules concern all tenants: an administrator of all tenants sees them here.
      </p>
    )
  }
  return (
    <div class="columns">
      <LifecycleSection api={api} lifecycle={lifecycle} />
      <Panel title="Bucket CORS" resource={cors} actions={<Again resource={cors} what="CORS rules" />}>
        {cors.value === undefined ? (
          !cors.problem && <Placeholder lines={2} />
        ) : cors.value.verdicts.length === 0 ? (
          <p class="empty">No web page is named in CORS_ORIGINS.</p>
        ) : (
          <ul class="verdicts">
            {cors.value.verdicts.map(({ origin, verdict, complaint }) => (
              <Verdict key={origin} name={origin} verdict={verdict} complaint={complaint} />
            ))}
          </ul>
        )}
      </Panel>
    </div>
  )
}

function LifecycleSection({ api, lifecycle }: { api: AdminApi; lifecycle: Resource<Lifecycle> }) {
  const [isMerging, setIsMerging] = useState(false)
  const { value } = lifecycle
  const mendable = value?.verdicts.filter(({ canBeMerged }) => canBeMerged) ?? []
  return (
    <Panel title="Bucket lifecycle" resource={lifecycle} actions={<Again resource={lifecycle} what="lifecycle" />}>
      {value === undefined ? (
        !lifecycle.problem && <Placeholder lines={2} />
      ) : (
        <>
          <ul class="verdicts">
            {value.verdicts.map(({ prefix, verdict, complaint }) => (
              <Verdict key={prefix} name={prefix} verdict={verdict} complaint={complaint} />
            ))}
          </ul>
          {mendable.length > 0 && (
            <button type="button" onClick={() => setIsMerging(true)}>
              Add the missing {mendable.length === 1 ? 'rule' : 'rules'} …
            </button>
          )}
          {value.rules.length > 0 && <Rules rules={value.rules} />}
        </>
      )}
      {isMerging && (
        <ConfirmDialog
          title="Add to the bucket’s lifecycle?"
          confirmText="Add"
          act={() => api.call('mergeLifecycle')}
          doneText="The rules are there."
          onClose={(wasTried) => {
            setIsMerging(false)
            if (wasTried) lifecycle.reload()
          }}
        >
          <p>
            OSS will end forgotten multipart uploads below{' '}
            {mendable.map(({ prefix }, index) => (
              <Fragment key={prefix}>
                {index > 0 && ', '}
                <code>{shownName(prefix)}</code>
              </Fragment>
            ))}{' '}
            by itself, also when no server runs. All other rules of the bucket stay as they are.
          </p>
        </ConfirmDialog>
      )}
    </Panel>
  )
}

function Again({ resource, what }: { resource: Resource<unknown>; what: string }) {
  return (
    <button type="button" onClick={resource.reload} aria-label={`Read again: ${what}`}>
      Read again
    </button>
  )
}

interface VerdictProps {
  name: string
  verdict: string
  complaint: string | null
}

function Verdict({ name, verdict, complaint }: VerdictProps) {
  const isGood = verdict === 'covered' || verdict === 'allowed'
  return (
    <li class={isGood ? 'good' : verdict === 'unknown' ? '' : 'bad'}>
      <span class="mark" aria-hidden="true">
        {isGood ? '✓' : verdict === 'unknown' ? '?' : '!'}
      </span>
      <code>{shownName(name)}</code> <span class="verdict">{verdict.replace('-', ' ')}</span>
      {complaint !== null && <span class="complaint">{complaint}</span>}
    </li>
  )
}

function Rules({ rules }: { rules: Lifecycle['rules'] }) {
  return (
    <table class="rows">
      <caption class="unseen">The bucket’s rules for unfinished uploads</caption>
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Keys that begin with</th>
          <th scope="col" class="number">
            Ends after
          </th>
        </tr>
      </thead>
      <tbody>
        {rules.map(({ id, prefix, isEnabled, days, isOwn }) => (
          <tr key={id} class={isEnabled ? '' : 'dry'}>
            <th scope="row">
              <bdi>{shownName(id)}</bdi>
              {isOwn && <span class="tag">Partway’s</span>}
              {!isEnabled && <span class="tag">off</span>}
            </th>
            <td>
              <code>{prefix === '' ? 'anything' : shownName(prefix)}</code>
            </td>
            <td class="number">{days === null ? 'a date' : `${days} ${days === 1 ? 'day' : 'days'}`}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
