/* What the page's own address says. */

/** Where the server is: wherever this page is, so below any path the server is mounted at. */
export function baseUrlOf(location: Location): string {
  return new URL('.', location.href).href
}

/** The token of a link such as `/#token=…`, which only a server in local mode prints. Undefined where there is none. */
export function tokenOf(location: Location): string | undefined {
  return new URLSearchParams(location.hash.slice(1)).get('token') || undefined
}
