import pg from 'pg'

/** How much is seeded. */
export interface Seed {
  openUploads: number
}

export const TENANTS = 400

const MiB = 1_048_576

/* Uploads of 400 tenants, the first of which has a fifth of them and the last a thousandth of that. One in ten was last active one to 36
 * days ago, the others within 20 hours. Each has ten parts on average, and beside every twenty there is one that has ended. */
const drawn = `
  SELECT *, now() - idle AS last_activity_at, now() - idle - before AS created_at
  FROM (
    SELECT 'upl_' || replace(gen_random_uuid()::text, '-', '') AS id,
      'tenant-' || lpad(floor(${TENANTS} * power(random(), 4))::int::text, 4, '0') AS tenant,
      CASE WHEN n % 10 = 0 THEN interval '1 day' + power(random(), 2) * interval '35 days'
        ELSE random() * interval '20 hours' END AS idle,
      power(random(), 3) * interval '5 days' AS before,
      random() AS dice,
      ${MiB} + floor(random() * ${63 * MiB})::bigint AS part_size_bytes,
      1 + floor(random() * 19)::int AS stored_parts,
      floor(power(random(), 3) * 100)::int AS missing_parts,
      n
    FROM generate_series(1, $1) AS n) AS drawn`

const columns = `id, tenant, subject, state, due_at, file_name, content_type, fingerprint, size_bytes, part_size_bytes, bucket, region, key,
  oss_upload_id, stored_bytes, created_at, last_activity_at, grants_alive_until, reconciled_at, completed_at, etag, abort_reason`

const openUploads = `
  INSERT INTO uploads (${columns})
  SELECT id, tenant, 'user-' || n % 50, state, now() + interval '1 day', 'file ' || n || '.bin', 'application/octet-stream', md5(n::text),
    (stored_parts + missing_parts) * part_size_bytes, part_size_bytes, 'bench', 'cn-hangzhou',
    'uploads/' || tenant || '/' || md5(id) || '/file ' || n || '.bin', upper(md5('oss' || n)),
    CASE WHEN state = 'pending' THEN 0 ELSE stored_parts * part_size_bytes END,
    created_at, last_activity_at, last_activity_at + interval '15 minutes', created_at + before / 2, NULL, NULL,
    CASE WHEN state = 'aborting' THEN 'user' END
  FROM (SELECT *, CASE WHEN dice < 0.015 THEN 'pending' WHEN dice < 0.02 THEN 'completing' WHEN dice < 0.04 THEN 'aborting'
    ELSE 'uploading' END AS state FROM (${drawn}) AS dated) AS drawn`

const endedUploads = `
  INSERT INTO uploads (${columns})
  SELECT id, tenant, 'user-' || n % 50, state, NULL, 'file ' || n || '.bin', 'application/octet-stream', md5(n::text),
    stored_parts * part_size_bytes, part_size_bytes, 'bench', 'cn-hangzhou',
    'uploads/' || tenant || '/' || md5(id) || '/file ' || n || '.bin', upper(md5('oss' || n)),
    CASE WHEN state = 'completed' THEN stored_parts * part_size_bytes ELSE 0 END,
    created_at, last_activity_at, NULL, NULL, CASE WHEN state = 'completed' THEN last_activity_at END,
    CASE WHEN state = 'completed' THEN upper(md5(n::text)) END, CASE WHEN state = 'aborted' THEN 'expired' END
  FROM (SELECT *, CASE WHEN dice < 0.7 THEN 'completed' ELSE 'aborted' END AS state FROM (${drawn}) AS dated) AS drawn`

const parts = `
  INSERT INTO upload_parts (upload_id, part_number, size_bytes, etag, crc64)
  SELECT id, number, part_size_bytes, upper(md5(number::text)), '5981764153023615706'
  FROM (SELECT * FROM uploads WHERE stored_bytes > 0 AND state <> 'completed' ORDER BY id) AS ordered,
    generate_series(1, (stored_bytes / part_size_bytes)::int) AS number`

const usage = `
  INSERT INTO tenant_usage (tenant, open_uploads, bytes_in_flight, completed_uploads, completed_bytes, aborted_uploads)
  SELECT tenant, count(*) FILTER (WHERE state NOT IN ('completed', 'aborted')),
    coalesce(sum(size_bytes) FILTER (WHERE state NOT IN ('completed', 'aborted')), 0),
    count(*) FILTER (WHERE state = 'completed'), coalesce(sum(size_bytes) FILTER (WHERE state = 'completed'), 0),
    count(*) FILTER (WHERE state = 'aborted')
  FROM uploads GROUP BY tenant`

/** 257 rows for each tenant and for all: a week by the hour and 90 days. */
const snapshots = `
  INSERT INTO usage_snapshots (tenant, taken_at, uploads, bytes)
  SELECT tenant, at, n, n * ${MiB} FROM (SELECT tenant, open_uploads AS n FROM tenant_usage UNION ALL SELECT '*', $1) AS holders,
    (SELECT date_trunc('hour', now()) - h * interval '1 hour' AS at FROM generate_series(1, 167) AS h
      UNION ALL SELECT date_trunc('day', now()) - d * interval '1 day' FROM generate_series(8, 97) AS d) AS hours`

/** Fills a migrated, empty database. Indexes are made after the rows, as restoring a dump does. */
export async function seed(databaseUrl: string, { openUploads: count }: Seed): Promise<void> {
  const sql = new pg.Client({ connectionString: databaseUrl })
  await sql.connect()
  try {
    // No triggers and no checks of foreign keys: what they would do is done once at the end.
    await sql.query(`SET session_replication_role = replica; SET maintenance_work_mem = '512MB'; SET synchronous_commit = off;
      SET TimeZone = 'UTC'; SELECT setseed(0.42)`)
    const indexes = await dropIndexes(sql)
    await sql.query(openUploads, [count])
    await sql.query(endedUploads, [Math.ceil(count / 20)])
    await sql.query(parts)
    await sql.query(usage)
    await sql.query(snapshots, [count])
    for (const definition of indexes) await sql.query(definition)
    await sql.query('VACUUM (ANALYZE)')
    await sql.query('CHECKPOINT')
  } finally {
    await sql.end()
  }
}

async function dropIndexes(sql: pg.Client): Promise<string[]> {
  const { rows } = await sql.query<{ name: string; definition: string }>(`
    SELECT indexname AS name, indexdef AS definition FROM pg_indexes
    WHERE schemaname = 'public' AND tablename = 'uploads'
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)`)
  for (const { name } of rows) await sql.query(`DROP INDEX "${name}"`)
  return rows.map(({ definition }) => definition)
}
