import type { Summary } from '@partway/client/contract'
import { countText, sizeText } from '../shared/figures.ts'
import { BarTable } from './bar-table.tsx'
import { Figures } from './figures.tsx'
import { Panel, Placeholder } from './panel.tsx'
import { TimeChart } from './time-chart.tsx'
import type { UploadFilter } from './upload-filter.ts'
import type { Resource } from './use-resource.ts'
import { bandWords, costText, shownName } from './words.ts'

interface OverviewProps {
  summary: Resource<Summary>
  /** Narrows the table of uploads. */
  onShow: (change: Partial<UploadFilter>) => void
  onTenant: (name: string) => void
}

/** What is held and what it costs, over time, by age and by holder. */
export function Overview({ summary, onShow, onTenant }: OverviewProps) {
  const { value } = summary
  return (
    <>
      <Panel title="Held in unfinished uploads" resource={summary} class="held">
        {value ? <Figures summary={value} onShowStale={onShow} /> : !summary.problem && <Placeholder lines={3} />}
      </Panel>
      {value && (
        <div class="charts">
          <section class="section over-time" aria-labelledby="over-time-title">
            <div class="heading">
              <h2 id="over-time-title">Over time</h2>
            </div>
            <TimeChart points={value.overTime} />
          </section>
          <section class="section" aria-labelledby="by-age-title">
            <div class="heading">
              <h2 id="by-age-title">By age</h2>
              <p class="read">since creation</p>
            </div>
            <BarTable
              caption="Bytes held by the age of their uploads"
              heads={['Age', 'Uploads', 'Held']}
              rows={value.byAge.map(({ band, uploads, bytes }) => ({
                key: band,
                name: bandWords[band],
                figure: uploads.toLocaleString('en'),
                bytes,
              }))}
            />
          </section>
          <section class="section" aria-labelledby="holders-title">
            <div class="heading">
              <h2 id="holders-title">Biggest holders</h2>
              <p class="read">of {countText(value.tenantCount, 'tenant')}</p>
            </div>
            {value.byTenant.length === 0 ? (
              <p class="empty">Nobody holds anything.</p>
            ) : (
              <BarTable
                caption="Tenants whose unfinished uploads hold the most bytes"
                heads={['Tenant', value.pricePerGbMonth === null ? 'Uploads' : 'A month', 'Held']}
                rows={value.byTenant.slice(0, 6).map(({ tenant, uploads, bytes, monthlyCost }) => ({
                  key: tenant,
                  name: tenant,
                  figure: monthlyCost === null ? uploads.toLocaleString('en') : costText(monthlyCost),
                  bytes,
                  hint: `${countText(uploads, 'upload')}, ${sizeText(bytes)}`,
                  onClick: () => onShow({ tenant, sort: 'storedBytes', order: 'desc', state: null }),
                  aside: { text: 'limits', label: `Limits of ${shownName(tenant)}`, onClick: () => onTenant(tenant) },
                }))}
              />
            )}
          </section>
        </div>
      )}
    </>
  )
}
