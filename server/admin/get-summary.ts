import {
  ageBands,
  type EndpointInput,
  type Endpoints,
  type Summary,
  type UploadState,
  UploadState as UploadStates,
} from '@partway/client/contract'
import type { FinishedMeasurement } from '../db/usage-measurement-rows.ts'
import { findEnded, findHolders, findUsage, type UsageAmount } from '../db/usage-rows.ts'
import { listSnapshots } from '../db/usage-snapshot-rows.ts'
import type { Answer, Deps, RequestContext } from '../deps.ts'
import type { Principal } from '../principal.ts'
import { adminReach } from './admin-reach.ts'
import { currentMeasurement } from './current-measurement.ts'
import { SNAPSHOTS_KEPT_DAYS } from './keep-usage.ts'
import { monthlyCost } from './monthly-cost.ts'

const holdersShown = 50

/**
 * What open uploads hold, by the latest finished count; when that is older than a minute, another one is begun behind the reply. Ended
 * uploads are counted with each that ends. An administrator of one tenant sees that one's. Throws `forbidden` for another one.
 */
export async function getSummary(
  deps: Deps,
  principal: Principal,
  { query }: EndpointInput<Endpoints['getSummary']>,
  { signal }: Pick<RequestContext, 'signal'>,
): Promise<Answer<Summary>> {
  const tenant = adminReach(principal, query.tenant)
  return { status: 200, body: await summarize(deps, await currentMeasurement(deps, signal), tenant) }
}

async function summarize(deps: Deps, measurement: FinishedMeasurement, tenant: string | null): Promise<Summary> {
  const sql = deps.db.prisma
  const { pricePerGbMonth, staleAfterSeconds } = deps.config.uploads
  const [usage, holders, ended, snapshots] = await Promise.all([
    findUsage(sql, measurement, tenant),
    findHolders(sql, measurement, tenant, holdersShown),
    findEnded(sql, tenant),
    listSnapshots(sql, tenant, SNAPSHOTS_KEPT_DAYS),
  ])
  const withCost = (amount: UsageAmount) => ({ ...amount, monthlyCost: monthlyCost(amount.bytes, pricePerGbMonth) })
  const stale = usage.map(({ staleUploads, staleBytes }) => ({ uploads: staleUploads, bytes: staleBytes }))
  const ofState = (state: UploadState) =>
    state === 'completed' || state === 'aborted' ? ended[state] : sum(usage.filter((amount) => amount.state === state))
  return {
    measuredAt: measurement.startedAt.toISOString(),
    tenant,
    held: withCost(sum(usage)),
    stale: { ...withCost(sum(stale)), afterSeconds: staleAfterSeconds },
    byState: UploadStates.options.map((state) => ({ state, ...ofState(state) })),
    byAge: ageBands.map((age) => ({ ...age, ...sum(usage.filter(({ ageBand }) => ageBand === age.band)) })),
    byTenant: holders.holders.map((holder) => ({ tenant: holder.tenant, ...withCost(holder) })),
    tenantCount: holders.count,
    overTime: snapshots.map(({ takenAt, uploads, bytes }) => ({ at: takenAt.toISOString(), uploads, bytes })),
    pricePerGbMonth,
  }
}

function sum(amounts: readonly UsageAmount[]): UsageAmount {
  return amounts.reduce(
    (total, { uploads, bytes }) => ({ uploads: total.uploads + uploads, bytes: total.bytes + bytes }),
    {
      uploads: 0,
      bytes: 0,
    },
  )
}
