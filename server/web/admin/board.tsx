import { useEffect, useRef, useState } from 'preact/hooks'
import type { Announcer } from '../shared/announcer.ts'
import type { AdminApi } from './admin-api.ts'
import { BucketSections } from './bucket-sections.tsx'
import { OrphansSection } from './orphans-section.tsx'
import { Overview } from './overview.tsx'
import { SweepsSection } from './sweeps-section.tsx'
import { TenantDialog } from './tenant-dialog.tsx'
import { UploadDialog } from './upload-dialog.tsx'
import type { UploadFilter } from './upload-filter.ts'
import { UploadsSection } from './uploads-section.tsx'
import { useFilter } from './use-filter.ts'
import { REFRESH_MS, useResource } from './use-resource.ts'
import { clockText, shownName } from './words.ts'

interface BoardProps {
  api: AdminApi
  announcer: Announcer
  onSignOut: () => void
}

/** All that an administrator sees once signed in. Sections read for themselves; only what one says to another passes here. */
export function Board({ api, announcer, onSignOut }: BoardProps) {
  const summary = useResource((signal) => api.call('getSummary', { signal }), '', { everyMs: REFRESH_MS })
  const [filter, setFilter] = useFilter()
  /** Counts whatever changed uploads, so that what shows them reads anew. */
  const [changes, setChanges] = useState(0)
  const [opened, setOpened] = useState<string | null>(null)
  const [tenant, setTenant] = useState<string | null>(null)
  const heading = useRef<HTMLHeadingElement>(null)
  const { value } = summary

  // The form is gone that the keyboard was in.
  useEffect(() => heading.current?.focus(), [])

  function changed() {
    setChanges((before) => before + 1)
    summary.reload()
  }
  function show(change: Partial<UploadFilter>) {
    setFilter({ ...filter, ...change })
    document.querySelector<HTMLElement>('#uploads-title')?.focus()
  }

  return (
    <>
      <header class="top">
        <h1 ref={heading} tabIndex={-1}>
          Partway <span class="product">administration</span>
        </h1>
        <p class="reach">
          {value && <Reach tenant={value.tenant} onTenant={setTenant} />}
          {value && <span class="quiet"> counted {clockText(Date.parse(value.measuredAt))}</span>}
        </p>
        <div class="buttons">
          <button type="button" onClick={changed}>
            Refresh
          </button>
          <button type="button" onClick={onSignOut}>
            Sign out
          </button>
        </div>
      </header>
      <main>
        <Overview summary={summary} onShow={show} onTenant={setTenant} />
        <UploadsSection
          api={api}
          announcer={announcer}
          filter={filter}
          onFilter={setFilter}
          changes={changes}
          onChanged={changed}
          onOpen={setOpened}
          onTenant={setTenant}
          staleAfterSeconds={value?.stale.afterSeconds}
          tenants={value?.byTenant.map(({ tenant }) => tenant) ?? []}
        />
        <div class="columns">
          <SweepsSection
            api={api}
            announcer={announcer}
            changes={changes}
            onChanged={changed}
            staleAfterSeconds={value?.stale.afterSeconds}
          />
          <OrphansSection api={api} announcer={announcer} onChanged={changed} />
        </div>
        <BucketSections api={api} />
      </main>
      <footer class="quiet">
        <p>
          Read anew every 30 seconds while this page is seen; orphans and the bucket’s rules only when asked.{' '}
          <a href="../docs">HTTP API</a>
        </p>
      </footer>
      {opened !== null && (
        <UploadDialog
          api={api}
          announcer={announcer}
          id={opened}
          onChanged={changed}
          onTenant={setTenant}
          onClose={() => setOpened(null)}
        />
      )}
      {tenant !== null && (
        <TenantDialog
          api={api}
          name={tenant}
          // Until it is known whose the token is, the server's word on it will do.
          maySetLimits={typeof value?.tenant !== 'string'}
          onClose={() => setTenant(null)}
        />
      )}
    </>
  )
}

/** Whose uploads these are: everybody's, or one tenant's. */
function Reach({ tenant, onTenant }: { tenant: string | null; onTenant: (name: string) => void }) {
  if (tenant === null) return 'All tenants'
  return (
    <button type="button" class="link" onClick={() => onTenant(tenant)}>
      <bdi>Tenant {shownName(tenant)}</bdi>
    </button>
  )
}
