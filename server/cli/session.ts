import { readFile } from 'node:fs/promises'
import { type CliConfig, loadCliConfig } from '../config.ts'
import { type DevClaims, mintDevToken } from '../dev-token.ts'
import { EVERY_TENANT } from '../principal.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { type LocalFile, readLocalFile } from './local-file.ts'

/** Which server a command talks to, and how it gets a bearer token for it. */
export interface Session {
  /** Without a slash at its end: endpoint paths such as `/v1/uploads` are appended to it. */
  baseUrl: string
  /** A token that is valid now. Cheap; ask again after a 401 and before long work, and never keep the answer. */
  token: () => Promise<string>
  /** Whether it is the server in local mode that runs on this data directory. */
  isLocal: boolean
}

/**
 * Finds server and token for a command, in this order: PARTWAY_URL and PARTWAY_TOKEN; else the server in local mode that
 * runs on this data directory (PARTWAY_DATA_DIR, by default `.partway/`), with tokens minted from its own secret.
 * With PARTWAY_URL alone, tokens are minted only if it names that local server. `holder` is whom a minted token speaks for.
 * Throws CommandFailure: `usage` when no server is known, `unauthorized` when no token can be had.
 *
 *     const { baseUrl, token } = await findSession()
 *     const client = createUploadClient({ baseUrl, token })
 */
export async function findSession(
  holder: TokenHolder = LOCAL_USER,
  config: CliConfig = loadCliConfig(),
): Promise<Session> {
  const local = await readLocalFile(config.dataDir)
  const baseUrl = config.url ?? local?.url
  if (!baseUrl) {
    throw new CommandFailure(
      exitCode.usage,
      `No server is known. Start one with "partway serve" (its data directory would be ${config.dataDir}), or set PARTWAY_URL and PARTWAY_TOKEN.`,
    )
  }
  const given = config.token
  const isLocal = local !== null && isSameServer(local.url, baseUrl)
  if (given !== null) return { baseUrl, token: async () => given, isLocal }
  if (!isLocal) {
    throw new CommandFailure(exitCode.unauthorized, `PARTWAY_TOKEN is not set, and ${baseUrl} is not a local server.`)
  }
  return { baseUrl, token: () => mintLocalToken(local, holder, config), isLocal }
}

/** Whether two base URLs are of one server: this machine has several names for itself. */
export function isSameServer(one: string, other: string): boolean {
  const nameOf = (text: string) => {
    const url = new URL(text)
    const host = /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname) ? 'localhost' : url.hostname
    return `${url.protocol}//${host}:${url.port}${url.pathname.replace(/\/+$/, '')}`
  }
  return nameOf(one) === nameOf(other)
}

const LOCAL_TOKEN_SECONDS = 900

async function mintLocalToken(local: LocalFile, holder: TokenHolder, config: CliConfig): Promise<string> {
  const secret =
    local.secretFile === null ? config.jwtSecret : await readFile(local.secretFile, 'utf8').catch(() => null)
  if (!secret) {
    throw new CommandFailure(exitCode.unauthorized, 'The local server has a JWT_SECRET of its own: set PARTWAY_TOKEN.')
  }
  const signer = { secret: secret.trim(), issuer: local.issuer, audience: local.audience }
  return mintDevToken(signer, { ...holder, ttlSeconds: LOCAL_TOKEN_SECONDS })
}

export type TokenHolder = Pick<DevClaims, 'subject' | 'tenant' | 'scopes'>

/** Who the CLI is to a local server; the user token that `partway serve` prints is of the same subject. */
export const LOCAL_SUBJECT = 'local-user'
export const LOCAL_USER: TokenHolder = { subject: LOCAL_SUBJECT, scopes: ['uploads', 'credentials'] }
/** Who it is for the commands of administrators: it sees every tenant, as the admin token does that `partway serve` prints. */
export const LOCAL_ADMIN: TokenHolder = { subject: 'local-admin', tenant: EVERY_TENANT, scopes: ['admin'] }
