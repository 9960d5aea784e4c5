import { UploadId } from '@partway/client/contract'
import { z } from 'zod'
import type { AdminUploadFilter, AdminUploadOrder, AdminUploadPosition } from '../db/admin-upload-filter.ts'
import type { Deps } from '../deps.ts'
import { foreignCursor, seal, unseal } from './seals.ts'

const InstantPosition = z.tuple([z.iso.datetime(), UploadId])
const BytesPosition = z.tuple([z.int().min(0), UploadId])

/** What a cursor is good for: this list alone. The filter says whose rows, too. */
function purposeOf(filter: AdminUploadFilter, order: AdminUploadOrder): string {
  return `admin uploads ${JSON.stringify([filter, order])}`
}

/** Where a page of a list ends, as its caller is given it. */
export function sealPosition(
  deps: Pick<Deps, 'db'>,
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  { value, id }: AdminUploadPosition,
): Promise<string> {
  return seal(deps, purposeOf(filter, order), [value, id])
}

/** The position behind a cursor. Throws `invalid-request` unless it was given for the same list. */
export async function unsealPosition(
  deps: Pick<Deps, 'db'>,
  filter: AdminUploadFilter,
  order: AdminUploadOrder,
  cursor: string,
): Promise<AdminUploadPosition> {
  const sealed = await unseal(deps, purposeOf(filter, order), cursor)
  const position = (order.sort === 'storedBytes' ? BytesPosition : InstantPosition).safeParse(sealed)
  if (!position.success) throw foreignCursor()
  const [value, id] = position.data
  return { value: typeof value === 'string' ? new Date(value) : value, id }
}
