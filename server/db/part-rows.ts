import type { UploadPart } from '../../prisma/generated/client.ts'
import type { Database, Queries } from './client.ts'
import { nextLookAt } from './lease.ts'
import { type RawUpload, safeNumber, toUploadRow, type UploadRow, uploadColumns } from './upload-row.ts'

/* Every statement on `upload_parts`: what the client says is stored, or what ListParts last said. */

export type PartRow = Omit<UploadPart, 'uploadId' | 'sizeBytes'>

export interface PartValue {
  partNumber: number
  sizeBytes: number
  etag: string | null
  crc64: string | null
}

/** Adds the client's claims to an upload that is `uploading`; null when it is not. A new claim replaces an older one and forgets that
 *  it was refused. Claims count as activity. */
export async function saveClaims(
  sql: Queries,
  uploadId: string,
  claims: readonly PartValue[],
): Promise<UploadRow | null> {
  const [numbers, sizes, etags, crcs] = columnsOf(claims)
  const [row] = await sql.$queryRaw<RawUpload[]>`
    WITH target AS (SELECT id FROM uploads WHERE id = ${uploadId} AND state = 'uploading' FOR UPDATE),
    saved AS (
      INSERT INTO upload_parts (upload_id, part_number, size_bytes, etag, crc64)
      SELECT target.id, claim.* FROM target,
        unnest(${numbers}::int[], ${sizes}::bigint[], ${etags}::text[], ${crcs}::text[]) AS claim
      ON CONFLICT (upload_id, part_number)
        DO UPDATE SET size_bytes = excluded.size_bytes, etag = excluded.etag, crc64 = excluded.crc64, refused = NULL
      -- A row that did not exist has no transaction that locked it.
      RETURNING size_bytes, (xmax = 0) AS fresh
    )
    UPDATE uploads SET last_activity_at = now(),
      stored_bytes = least(uploads.size_bytes, stored_bytes + coalesce((SELECT sum(size_bytes) FROM saved WHERE fresh), 0))::bigint
    FROM target WHERE uploads.id = target.id RETURNING ${uploadColumns}`
  return row ? toUploadRow(row) : null
}

/**
 * Makes the rows say exactly what OSS holds, but for the parts in `except`, whose claims are left as they are. More bytes than before
 * count as activity. OSS need not be asked again soon, unless somebody is at it. Null unless the upload is `uploading`.
 */
export function replaceParts(
  db: Pick<Database, 'transaction'>,
  uploadId: string,
  listed: readonly PartValue[],
  except: readonly number[] = [],
): Promise<UploadRow | null> {
  const [numbers, sizes, etags, crcs] = columnsOf(listed.filter((part) => !except.includes(part.partNumber)))
  return db.transaction(async (sql) => {
    // The lock comes first: the statements after it then see every claim that was saved before.
    const locked = await sql.$queryRaw<{ id: string }[]>`
      SELECT id FROM uploads WHERE id = ${uploadId} AND state = 'uploading' FOR UPDATE`
    if (locked.length === 0) return null
    await sql.$executeRaw`
      DELETE FROM upload_parts WHERE upload_id = ${uploadId}
        AND part_number <> ALL (${numbers}::int[]) AND part_number <> ALL (${[...except]}::int[])`
    await sql.$executeRaw`
      INSERT INTO upload_parts (upload_id, part_number, size_bytes, etag, crc64)
      SELECT ${uploadId}, part.* FROM unnest(${numbers}::int[], ${sizes}::bigint[], ${etags}::text[], ${crcs}::text[]) AS part
      ON CONFLICT (upload_id, part_number)
        DO UPDATE SET size_bytes = excluded.size_bytes, etag = excluded.etag, crc64 = excluded.crc64, refused = NULL`
    const [row] = await sql.$queryRaw<RawUpload[]>`
      WITH stored AS (
        SELECT coalesce(sum(size_bytes), 0)::bigint AS bytes FROM upload_parts WHERE upload_id = ${uploadId}
      )
      UPDATE uploads SET stored_bytes = stored.bytes, reconciled_at = now(),
        -- Only what was adopted can hold more than was planned: nobody knows what it is to become.
        size_bytes = greatest(uploads.size_bytes, stored.bytes),
        due_at = CASE WHEN attempts = 0 THEN ${nextLookAt} ELSE due_at END,
        last_activity_at = CASE WHEN stored_bytes < stored.bytes THEN now() ELSE last_activity_at END
      FROM stored WHERE id = ${uploadId} RETURNING ${uploadColumns}`
    return row ? toUploadRow(row) : null
  })
}

function columnsOf(parts: readonly PartValue[]): [number[], number[], (string | null)[], (string | null)[]] {
  return [
    parts.map((part) => part.partNumber),
    parts.map((part) => part.sizeBytes),
    parts.map((part) => part.etag),
    parts.map((part) => part.crc64),
  ]
}

/** All rows of one upload, at most 10,000. */
export async function findParts(sql: Queries, uploadId: string): Promise<PartRow[]> {
  return sql.$queryRaw<PartRow[]>`
    SELECT part_number AS "partNumber", etag, crc64, refused FROM upload_parts
    WHERE upload_id = ${uploadId} ORDER BY part_number`
}

/** Stored parts of some uploads as inclusive ranges, ascending. An upload without parts has no entry. */
export async function findPartRanges(
  sql: Queries,
  uploadIds: readonly string[],
): Promise<Map<string, [first: number, last: number][]>> {
  // Consecutive numbers keep one distance to their rank: that distance names their range.
  const rows = await sql.$queryRaw<{ uploadId: string; first: number; last: number }[]>`
    SELECT upload_id AS "uploadId", min(part_number) AS first, max(part_number) AS last
    FROM (
      SELECT upload_id, part_number, part_number - row_number() OVER (PARTITION BY upload_id ORDER BY part_number) AS distance
      FROM upload_parts WHERE upload_id = ANY (${[...uploadIds]}::text[])
    ) AS ranked
    GROUP BY upload_id, distance ORDER BY upload_id, first`
  const ranges = new Map<string, [number, number][]>()
  for (const { uploadId, first, last } of rows) {
    const known = ranges.get(uploadId)
    if (known) known.push([first, last])
    else ranges.set(uploadId, [[first, last]])
  }
  return ranges
}

/** Remembers which stored versions of parts contradicted their claims. */
export async function markRefused(
  sql: Queries,
  uploadId: string,
  refusals: readonly { partNumber: number; mark: string }[],
): Promise<void> {
  if (refusals.length === 0) return
  await sql.$executeRaw`
    UPDATE upload_parts SET refused = refusal.mark
    FROM unnest(${refusals.map((refusal) => refusal.partNumber)}::int[], ${refusals.map((refusal) => refusal.mark)}::text[])
      AS refusal (part_number, mark)
    WHERE upload_id = ${uploadId} AND upload_parts.part_number = refusal.part_number`
}

/** A page of one upload's parts as last known, by number, beginning after `after`. */
export async function listPartRows(
  sql: Queries,
  uploadId: string,
  page: { after: number; limit: number },
): Promise<PartValue[]> {
  const rows = await sql.$queryRaw<(Omit<PartValue, 'sizeBytes'> & { sizeBytes: bigint })[]>`
    SELECT part_number AS "partNumber", size_bytes AS "sizeBytes", etag, crc64 FROM upload_parts
    WHERE upload_id = ${uploadId} AND part_number > ${page.after} ORDER BY part_number LIMIT ${page.limit}`
  return rows.map((row) => ({ ...row, sizeBytes: safeNumber(row.sizeBytes) }))
}
