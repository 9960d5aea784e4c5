import type { Config } from '../config.ts'
import { mintDevToken } from '../dev-token.ts'
import { urlTo } from '../oss-config.ts'
import { packageVersion } from '../version.ts'
import { LOCAL_ADMIN, LOCAL_USER, type TokenHolder } from './session.ts'

const TOKEN_SECONDS = 7 * 86_400

/** Where the server is reached from this machine. */
export function localUrlOf(config: Config, port: number): string {
  return config.http.publicUrl ?? urlTo(config.http.host, port)
}

/** What `partway serve` shows in local mode: where everything is, tokens to try it with, and the line that uploads a file. */
export function startTable(config: Config, port: number): string {
  const url = localUrlOf(config, port)
  const rows: [string, string][] = [
    ['API', url],
    ['Docs', `${url}/docs`],
    ['OSS', `${config.oss.publicEndpoint}   bucket ${config.oss.bucket}, region ${config.oss.region}`],
    ['STS', config.sts.endpoint],
    ['Access key', `${config.localCloud?.rootAccessKeyId} / ${config.localCloud?.rootAccessKeySecret}`],
    ['Postgres', databasePlace(config.database.url ?? '')],
    ['Data', config.dataDir],
  ]
  const { key, issuer, audience } = config.jwt
  if (key?.kind === 'secret') {
    const signer = { secret: key.secret, issuer, audience }
    const mintFor = (holder: TokenHolder) => mintDevToken(signer, { ...holder, ttlSeconds: TOKEN_SECONDS })
    const [userToken, adminToken] = [mintFor(LOCAL_USER), mintFor(LOCAL_ADMIN)]
    if (config.webPages) {
      rows.unshift(['Page', `${url}/#token=${userToken}`], ['Admin page', `${url}/admin/#token=${adminToken}`])
    }
    rows.push(['User token', userToken], ['Admin token', adminToken])
  }
  rows.push(['Upload', 'npx partway upload ./some-file'])
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`)
  return ['', `Partway ${packageVersion()}, local mode. The tokens are valid for 7 days.`, '', ...lines, ''].join('\n')
}

/** A connection URL without its password. */
function databasePlace(databaseUrl: string): string {
  const { hostname, port, pathname } = new URL(databaseUrl)
  return `${hostname}:${port || 5432}${pathname}`
}
