import type { Scope } from '@partway/client/contract'
import { Command, InvalidArgumentError, Option } from 'commander'
import { loadConfig } from '../config.ts'
import { mintDevToken } from '../dev-token.ts'
import { localSecret } from '../local-secret.ts'
import { CommandFailure, exitCode } from './exit-code.ts'
import { LOCAL_SUBJECT } from './session.ts'

const scopes = ['uploads', 'uploads:tenant', 'credentials', 'credentials:direct', 'admin'] as const satisfies Scope[]

interface TokenOptions {
  sub: string
  tenant?: string
  scope: Scope[]
  ttl: number
}

export const tokenCommand = new Command('token')
  .description('mint a bearer token for development, signed with JWT_SECRET or the secret of the data directory')
  .addOption(new Option('--sub <subject>', 'who the token speaks for').default(LOCAL_SUBJECT))
  .addOption(new Option('--tenant <tenant>', 'by default the subject; "*" with the scope admin means all'))
  .addOption(
    new Option('--scope <scopes>', `separated by spaces or commas: ${scopes.join(', ')}`)
      .argParser(parseScopes)
      .default(['uploads', 'credentials'], 'uploads credentials'),
  )
  .addOption(new Option('--ttl <seconds>', 'how long it is valid').argParser(parseSeconds).default(3600))
  .action(async ({ sub, tenant, scope, ttl }: TokenOptions) => {
    const { environment, jwt, dataDir } = loadConfig()
    if (environment === 'production') {
      throw new CommandFailure(exitCode.usage, 'PARTWAY_ENV is production: tokens come from your own backend.')
    }
    if (jwt.key !== null && jwt.key.kind !== 'secret') {
      throw new CommandFailure(
        exitCode.usage,
        'Tokens are verified with a public key here: only its owner can mint one.',
      )
    }
    const secret = jwt.key?.secret ?? (await localSecret(dataDir))
    const signer = { secret, issuer: jwt.issuer, audience: jwt.audience }
    console.log(mintDevToken(signer, { subject: sub, tenant, scopes: scope, ttlSeconds: ttl }))
  })

function parseScopes(text: string): Scope[] {
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((name) => {
      const known = scopes.find((scope) => scope === name)
      if (!known) throw new InvalidArgumentError(`There is no scope ${name}.`)
      return known
    })
}

function parseSeconds(text: string): number {
  if (!/^[1-9][0-9]{0,7}$/.test(text)) throw new InvalidArgumentError('Give a number of seconds.')
  return Number(text)
}
