import type { Tenant } from '@partway/client/contract'
import { limitWords } from './tenant-words.ts'

/** What a tenant has at this moment, against what it may have. */
export function TenantUsageTable({ tenant: { usage, limits, effectiveLimits } }: { tenant: Tenant }) {
  return (
    <table class="bars usage">
      <caption class="unseen">What it has, and what it may have</caption>
      <thead>
        <tr>
          <th scope="col">At once</th>
          <th scope="col">Now</th>
          <th scope="col">At most</th>
        </tr>
      </thead>
      <tbody>
        {limitWords.map(({ limit, usage: used, name, text }) => {
          const now = usage[used]
          const most = effectiveLimits[limit]
          const isReached = most !== null && now >= most
          const share = isReached ? 1 : now / (most ?? Number.POSITIVE_INFINITY)
          return (
            <tr key={limit}>
              <th scope="row">
                {name}
                {isReached && <span class="stale">reached</span>}
                <span class={`bar${isReached ? ' full' : ''}`} aria-hidden="true">
                  <span style={{ width: `${share * 100}%` }} />
                </span>
              </th>
              <td>{text(now)}</td>
              <td>
                {most === null ? 'no limit' : text(most)}
                {most !== null && <span class="quiet of">{limits[limit] === null ? 'the server’s' : 'its own'}</span>}
              </td>
            </tr>
          )
        })}
      </tbody>
    </table>
  )
}
