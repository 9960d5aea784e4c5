import { Prisma } from '../../prisma/generated/client.ts'
import type { UploadRow } from './upload-row.ts'

/* What statements on `uploads` say of time and of leases. Times are the database's. */

/** A row as its driver was given it. */
export type HeldRow = Pick<UploadRow, 'id' | 'lease'>

export const seconds = (count: number) => Prisma.sql`make_interval(secs => ${count}::double precision)`

export const isHeld = ({ id, lease }: HeldRow) => Prisma.sql`id = ${id} AND lease = ${lease}`

/** For entering a state that somebody must drive on. */
export const freshLease = (leaseSeconds: number) =>
  Prisma.sql`due_at = now() + ${seconds(leaseSeconds)}, lease = lease + 1, attempts = 0`

/** For taking a row over within its state. */
export const nextLease = (leaseSeconds: number) =>
  Prisma.sql`due_at = now() + ${seconds(leaseSeconds)}, lease = lease + 1, attempts = attempts + 1`

/** When OSS is next asked about a row in `uploading`: within 20 hours, so that an outage of some hours still leaves it at once a day. Spread,
 *  so that uploads created together are not asked about together for ever. */
export const nextLookAt = Prisma.sql`now() + (18 + 2 * random()) * interval '1 hour'`
