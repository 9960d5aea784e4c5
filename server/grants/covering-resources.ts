/**
 * Every resource, as `credential_grants` names it, whose credentials are good for `key`: the object itself, and each folder it lies in.
 * DIRECT_PREFIX may have been another one when they were handed out, so none is left out.
 */
export function coveringResources(bucket: string, key: string): string[] {
  const folders = [...key.matchAll(/\//g)].map(({ index }) => `${key.slice(0, index + 1)}*`)
  // Credentials are for no key with a NUL, and Postgres could not be asked about one.
  return [key, ...folders].filter((path) => !path.includes('\0')).map((path) => `${bucket}/${path}`)
}
