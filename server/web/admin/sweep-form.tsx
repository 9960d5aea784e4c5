import { useState } from 'preact/hooks'
import type { SweepOrder } from './sweep-dialog.tsx'

interface SweepFormProps {
  staleAfterSeconds: number | undefined
  onOrder: (order: SweepOrder) => void
}

const hour = 3600

/** What a sweep is to look for. It only opens the question: the server is asked first what would happen. */
export function SweepForm({ staleAfterSeconds = 24 * hour, onOrder }: SweepFormProps) {
  const [hours, setHours] = useState<string>()
  const [tenant, setTenant] = useState('')
  const [limit, setLimit] = useState('100')
  return (
    <form
      class="filter"
      aria-label="Sweep"
      onSubmit={(event) => {
        event.preventDefault()
        onOrder({
          olderThanSeconds: Math.round(Number(hours ?? staleAfterSeconds / hour) * hour),
          limit: Number(limit),
          ...(tenant === '' ? {} : { tenant }),
        })
      }}
    >
      <label>
        Idle for hours
        <input
          type="number"
          required
          min="1"
          max="270000"
          step="any"
          value={hours ?? `${staleAfterSeconds / hour}`}
          onInput={({ currentTarget: { value } }) => setHours(value)}
        />
      </label>
      <label>
        Tenant
        <input
          value={tenant}
          placeholder="any"
          onInput={({ currentTarget: { value } }) => setTenant(value)}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
        />
      </label>
      <label>
        At most
        <input
          type="number"
          required
          min="1"
          max="1000"
          value={limit}
          onInput={({ currentTarget: { value } }) => setLimit(value)}
        />
      </label>
      <div class="buttons">
        <button type="submit">Dry run …</button>
      </div>
    </form>
  )
}
