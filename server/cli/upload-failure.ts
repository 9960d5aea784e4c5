import { ClientException, isOssError, isServerProblem } from '@partway/client'
import { CommandFailure, type ExitCode, exitCode } from './exit-code.ts'
import { printable } from './upload-words.ts'

/** What an upload failed with, as the message and exit code of the command. Anything unexpected passes as it is. */
export function asCommandFailure(error: unknown, file: string): unknown {
  if (error instanceof ClientException) return new CommandFailure(...clientFailure(error, printable(file)), error)
  if (isServerProblem(error)) {
    const id = error.requestId ? ` Request id: ${error.requestId}.` : ''
    if (error.status === 401) {
      return new CommandFailure(
        exitCode.unauthorized,
        `The server does not accept the token: ${error.message}. Set PARTWAY_TOKEN to a fresh one and run the command again; it goes on where it stopped.${id}`,
        error,
      )
    }
    const code =
      error.status === 403 ? exitCode.unauthorized : error.status === 503 ? exitCode.unreachable : exitCode.failed
    return new CommandFailure(code, `The server refused: ${error.message}.${id}`, error)
  }
  if (isOssError(error)) {
    const id = error.requestId ? ` OSS request id: ${error.requestId}.` : ''
    const ec = error.ec ? ` EC ${error.ec}.` : ''
    const code = error.status >= 500 ? exitCode.unreachable : exitCode.failed
    return new CommandFailure(code, `${error.message}.${hintFor(error.code)}${ec}${id}`, error)
  }
  return error
}

function clientFailure(error: ClientException, file: string): [ExitCode, string] {
  switch (error.code) {
    case 'cancelled':
      return [exitCode.paused, 'Paused. What was sent is kept: the same command goes on from there.']
    case 'network':
    case 'timeout':
      return [exitCode.unreachable, `${error.message}. What was sent is kept: the same command goes on from there.`]
    case 'source-changed':
      return [
        exitCode.sourceChanged,
        `${error.message}. Nothing was mixed. To upload ${file} as it is now, run the command again; if parts of its old content stand in the way, with --on-source-changed restart`,
      ]
    case 'token-unavailable':
      return [exitCode.unauthorized, error.message]
    case 'invalid-argument':
      return [exitCode.usage, error.message]
    default:
      return [exitCode.failed, error.message]
  }
}

const hints: Readonly<Record<string, string>> = {
  NoSuchBucket: ' The server is configured with a bucket that does not exist.',
  SignatureDoesNotMatch: ' The server may try SIGN_CONTENT_LENGTH=false; "partway doctor" knows more.',
  PublicEndpointForbidden: ' The bucket needs a custom domain: set OSS_PUBLIC_ENDPOINT on the server.',
  UserDisable: ' The Alibaba Cloud account is disabled or in debt.',
  InDebt: ' The Alibaba Cloud account is disabled or in debt.',
}

function hintFor(code: string): string {
  return hints[code] ?? ''
}
