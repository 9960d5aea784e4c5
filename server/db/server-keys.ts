import type { Queries } from './client.ts'

/* Every statement on `server_keys`. */

/** The key of this name: the one that is there, or `candidate` if there was none. All instances get the same. */
export async function findOrInsertKey(sql: Queries, name: string, candidate: Buffer): Promise<Buffer> {
  // An update of nothing, so that the row is returned either way.
  const [row] = await sql.$queryRaw<{ key: Uint8Array }[]>`
    INSERT INTO server_keys (name, key) VALUES (${name}, ${candidate})
    ON CONFLICT (name) DO UPDATE SET key = server_keys.key RETURNING key`
  if (!row) throw new Error('an upsert returned no row')
  return Buffer.from(row.key)
}
