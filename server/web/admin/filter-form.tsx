import { useEffect, useId, useState } from 'preact/hooks'
import { durationText } from '../shared/figures.ts'
import { firstOrder, isEnded, isFiltered, noFilter, type UploadFilter } from './upload-filter.ts'
import { stateWords } from './words.ts'

interface FilterFormProps {
  filter: UploadFilter
  onFilter: (filter: UploadFilter) => void
  staleAfterSeconds: number | undefined
  /** Offered while a tenant is typed. */
  tenants: readonly string[]
}

const MB = 1_000_000

/** What the table is narrowed to. Lists apply at once, what is typed with Enter or the button. */
export function FilterForm({ filter, onFilter, staleAfterSeconds, tenants }: FilterFormProps) {
  const tenantList = useId()
  const { tenant, prefix, minBytes } = filter
  const typed = { tenant, prefix, megabytes: minBytes === null ? '' : `${minBytes / MB}` }
  const [draft, setDraft] = useState(typed)
  useEffect(() => setDraft(typed), [tenant, prefix, minBytes])

  function apply(change: Partial<UploadFilter>) {
    const megabytes = Number(draft.megabytes)
    onFilter({
      ...filter,
      tenant: draft.tenant,
      prefix: draft.prefix,
      minBytes: megabytes > 0 ? Math.round(megabytes * MB) : null,
      ...change,
    })
  }
  function applyState(state: UploadFilter['state']) {
    const isOtherKind = isEnded(state) !== isEnded(filter.state)
    apply({ state, order: isOtherKind ? firstOrder(filter.sort, state) : filter.order })
  }
  function clear() {
    setDraft({ tenant: '', prefix: '', megabytes: '' })
    onFilter({ ...noFilter, sort: filter.sort, order: filter.order })
  }
  const isNarrowed = isFiltered(filter) || draft.tenant !== '' || draft.prefix !== '' || draft.megabytes !== ''

  return (
    <form
      class="filter"
      aria-label="Filter uploads"
      onSubmit={(event) => {
        event.preventDefault()
        apply({})
      }}
    >
      <label>
        Idle for
        <select
          value={filter.staleForSeconds ?? ''}
          onChange={({ currentTarget: { value } }) => apply({ staleForSeconds: value === '' ? null : Number(value) })}
        >
          <option value="">any time</option>
          {idleChoices(filter.staleForSeconds, staleAfterSeconds).map((seconds) => (
            <option key={seconds} value={seconds}>
              {durationText(seconds)}
              {seconds === staleAfterSeconds ? ' (stale)' : ''} or more
            </option>
          ))}
        </select>
      </label>
      <label>
        State
        <select
          value={filter.state ?? ''}
          onChange={({ currentTarget: { value } }) => applyState((value || null) as UploadFilter['state'])}
        >
          <option value="">unfinished</option>
          {Object.entries(stateWords).map(([state, word]) => (
            <option key={state} value={state}>
              {word}
            </option>
          ))}
        </select>
      </label>
      <label>
        Tenant
        <input
          value={draft.tenant}
          onInput={({ currentTarget: { value } }) => setDraft({ ...draft, tenant: value })}
          list={tenantList}
          {...plain}
        />
      </label>
      <datalist id={tenantList}>
        {tenants.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <label>
        Key begins with
        <input
          value={draft.prefix}
          onInput={({ currentTarget: { value } }) => setDraft({ ...draft, prefix: value })}
          {...plain}
        />
      </label>
      <label>
        Holding MB or more
        <input
          type="number"
          min="0"
          step="any"
          inputMode="decimal"
          value={draft.megabytes}
          onInput={({ currentTarget: { value } }) => setDraft({ ...draft, megabytes: value })}
          disabled={isEnded(filter.state)}
        />
      </label>
      <label class="narrow">
        In order of
        <select
          value={filter.sort}
          onChange={({ currentTarget: { value } }) => {
            const sort = value as UploadFilter['sort']
            apply({ sort, order: firstOrder(sort, filter.state) })
          }}
        >
          <option value="lastActivityAt">last activity</option>
          <option value="storedBytes" disabled={isEnded(filter.state)}>
            bytes held
          </option>
          <option value="createdAt">creation</option>
        </select>
      </label>
      <div class="buttons">
        <button type="submit">Filter</button>
        <button type="button" aria-disabled={!isNarrowed} onClick={() => isNarrowed && clear()}>
          Clear
        </button>
      </div>
    </form>
  )
}

const plain = { autocomplete: 'off', autocapitalize: 'off', spellcheck: false } as const

/** The usual ones, and those that are asked for already. */
function idleChoices(...others: (number | null | undefined)[]): number[] {
  const usual = [3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400]
  const asked = others.filter((seconds) => typeof seconds === 'number')
  return [...new Set([...usual, ...asked])].sort((a, b) => a - b)
}
