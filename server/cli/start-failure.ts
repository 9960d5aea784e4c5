import type { Config } from '../config.ts'

/** Why a start failed, in words that say what to do; by default the error's own message. */
export function explainStartFailure(error: unknown, config: Config): string {
  if (!(error instanceof Error)) return String(error)
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string }
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${address} is taken by another program. Stop that one, or set ${variableOf(port, config)} to a free port.`
  }
  if (code === 'EACCES' && port !== undefined) {
    return `Port ${port} needs rights this user does not have. Set ${variableOf(port, config)} to a port above 1023.`
  }
  if (code === 'EADDRNOTAVAIL')
    return `${address} is not an address of this machine. Set HOST or LOCAL_HOST to one that is.`
  return error.message
}

function variableOf(port: number | undefined, config: Config): string {
  if (port === config.localCloud?.ossPort) return 'LOCAL_OSS_PORT'
  if (port === config.localCloud?.stsPort) return 'LOCAL_STS_PORT'
  return 'PORT'
}
