import type { Tenant, TenantLimits } from '@partway/client/contract'
import { useState } from 'preact/hooks'
import { changeOf, draftOf, limitWords } from './tenant-words.ts'

interface LimitsFormProps {
  tenant: Tenant
  onChange: (change: Partial<TenantLimits>) => void
}

/** A tenant's own limits. It only opens the question. */
export function LimitsForm({ tenant: { limits, effectiveLimits }, onChange }: LimitsFormProps) {
  const [draft, setDraft] = useState(draftOf(limits))
  const change = changeOf(limits, draft)
  const isChanged = Object.keys(change).length > 0
  return (
    <form
      class="filter"
      aria-label="Limits of its own"
      onSubmit={(event) => {
        event.preventDefault()
        if (isChanged) onChange(change)
      }}
    >
      {limitWords.map(({ limit, name, unit, unitSize, most, text }) => {
        const effective = effectiveLimits[limit]
        // What the server has for every tenant is told only where nothing stands in its place.
        const isKnown = limits[limit] === null
        return (
          <label key={limit}>
            {unit === '' ? name : `${name}, ${unit}`}
            <input
              type="number"
              min="0"
              max={most / unitSize}
              step={unitSize === 1 ? 1 : 'any'}
              inputMode="decimal"
              value={draft[limit]}
              placeholder={isKnown ? (effective === null ? 'no limit' : text(effective)) : 'the server’s'}
              onInput={({ currentTarget: { value } }) => setDraft({ ...draft, [limit]: value })}
            />
          </label>
        )
      })}
      <div class="buttons">
        <button type="submit" aria-disabled={!isChanged}>
          Change limits …
        </button>
      </div>
      <p class="quiet">Empty: what the server has for every tenant. 0: none at all.</p>
    </form>
  )
}
