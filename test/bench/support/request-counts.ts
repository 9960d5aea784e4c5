/** Requests that a Partway server has answered, by endpoint of its contract: from its metrics, which any operator reads. */
export async function requestCounts(url: string): Promise<{ total: number; byEndpoint: Record<string, number> }> {
  const text = await (await fetch(`${url}/metrics`)).text()
  const byEndpoint: Record<string, number> = {}
  const counts = /^partway_http_request_duration_seconds_count\{endpoint="([^"]+)",[^}]*\} (\d+)$/gm
  for (const [, endpoint = '', count] of text.matchAll(counts)) {
    if (!uploadEndpoints.has(endpoint)) continue
    byEndpoint[endpoint] = (byEndpoint[endpoint] ?? 0) + Number(count)
  }
  return { total: Object.values(byEndpoint).reduce((sum, count) => sum + count, 0), byEndpoint }
}

const uploadEndpoints = new Set([
  'createUpload',
  'listUploads',
  'getUpload',
  'listParts',
  'grantParts',
  'saveCheckpoint',
  'completeUpload',
  'abortUpload',
  'grantCredentials',
])
