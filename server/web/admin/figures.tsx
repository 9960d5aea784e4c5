import type { Summary } from '@partway/client/contract'
import type { ComponentChildren } from 'preact'
import { countText, durationText, sizeText } from '../shared/figures.ts'
import type { UploadFilter } from './upload-filter.ts'
import { costText, stateWords } from './words.ts'

interface FiguresProps {
  summary: Summary
  onShowStale: (change: Partial<UploadFilter>) => void
}

/** The few numbers one comes for. */
export function Figures({ summary, onShowStale }: FiguresProps) {
  const { held, stale, pricePerGbMonth, byState } = summary
  const open = byState.filter(({ state }) => state !== 'completed' && state !== 'aborted')
  const completed = byState.find(({ state }) => state === 'completed')
  const showStale = () =>
    onShowStale({ staleForSeconds: stale.afterSeconds, state: null, sort: 'lastActivityAt', order: 'asc' })
  return (
    <dl class="figures">
      <Figure name="Held" value={sizeText(held.bytes)}>
        in {countText(held.uploads, 'upload')}
      </Figure>
      <Figure name="Cost" value={costText(held.monthlyCost)} unit={held.monthlyCost === null ? '' : 'a month'}>
        {pricePerGbMonth === null ? 'PRICE_PER_GB_MONTH is not set' : `at ${pricePerGbMonth} per GB of 2³⁰ bytes`}
      </Figure>
      <Figure name="Stale" value={sizeText(stale.bytes)} isWarning={stale.bytes > 0}>
        {stale.uploads === 0 ? (
          <>nothing is idle for {durationText(stale.afterSeconds)}</>
        ) : (
          <button type="button" class="link" onClick={showStale}>
            {countText(stale.uploads, 'upload')} idle for {durationText(stale.afterSeconds)}
          </button>
        )}
        {stale.monthlyCost !== null && stale.bytes > 0 && <span>, {costText(stale.monthlyCost)} a month</span>}
      </Figure>
      <Figure
        name="States"
        value={open.reduce((sum, { uploads }) => sum + uploads, 0).toLocaleString('en')}
        unit="open"
      >
        {open
          .filter(({ uploads }) => uploads > 0)
          .map(({ state, uploads }) => `${uploads.toLocaleString('en')} ${stateWords[state]}`)
          .join(' · ') || 'none'}
        {completed && completed.uploads > 0 && (
          <span>
            {' '}
            · {completed.uploads.toLocaleString('en')} completed, {sizeText(completed.bytes)}
          </span>
        )}
      </Figure>
    </dl>
  )
}

interface FigureProps {
  name: string
  value: string
  unit?: string
  isWarning?: boolean
  children: ComponentChildren
}

function Figure({ name, value, unit = '', isWarning = false, children }: FigureProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <strong class={isWarning ? 'warning' : ''}>{value}</strong> {unit !== '' && <span class="unit">{unit}</span>}
      </dd>
      <dd class="quiet">{children}</dd>
    </div>
  )
}
