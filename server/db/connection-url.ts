/** How to connect: pg's connection string, and the Postgres schema when it is not the default one. */
export type ConnectionUrl = { connectionString: string; schema: string | undefined }

/** Adds session settings (names and values as in postgresql.conf) to a database URL, beside any `options` it has.
 *
 *  Every session of ours runs in UTC: adapter-pg writes instants without a zone, and reads them by replacing whatever
 *  offset the server prints with +00:00 (its `formatDateTime` and `normalize_timestamptz`). On a server that stands at
 *  Asia/Shanghai every instant would be eight hours off. Settings travel in the start-up packet; PgBouncer takes
 *  them from 1.20 on (TimeZone always, others when named in its `ignore_startup_parameters`).
 *  `?schema=name`, as Prisma writes it, makes that schema the session's search path.
 *  Throws, without showing the URL and the password in it, when it isn't one. */
export function connectionUrl(databaseUrl: string, settings: Record<string, string | number> = {}): ConnectionUrl {
  const url = parseUrl(databaseUrl)
  const schema = url.searchParams.get('schema') ?? undefined
  if (schema !== undefined && !/^[A-Za-z_][A-Za-z0-9_]{0,62}$/.test(schema)) {
    throw new Error('DATABASE_URL names a schema that is not a plain name')
  }
  const all = { TimeZone: 'UTC', ...(schema ? { search_path: `"${schema}"` } : {}), ...settings }
  const flags = Object.entries(all).map(([name, value]) => `-c ${name}=${value}`)
  url.searchParams.set('options', [url.searchParams.get('options') ?? '', ...flags].join(' ').trim())
  return { connectionString: url.href, schema }
}

function parseUrl(databaseUrl: string): URL {
  // `user@/db?host=/run/postgresql` is legal for Postgres but not for URL; the query parameter wins over the host.
  const text = databaseUrl.replace('@/', '@localhost/')
  if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) {
    throw new Error('DATABASE_URL is not a URL of the form postgresql://user:password@host:port/database')
  }
  return new URL(text)
}
