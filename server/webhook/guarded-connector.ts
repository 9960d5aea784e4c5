import { isIP, type LookupFunction } from 'node:net'
import { buildConnector } from 'undici'
import { type AddressRules, addressesOf } from './public-address.ts'

const CONNECT_TIMEOUT_MS = 5_000

/**
 * Connects to the very addresses that were checked: the check is the lookup of the connection, so that a name which answers otherwise the
 * next time gains nothing. Every new connection is checked anew.
 */
export function createGuardedConnector(rules: AddressRules): buildConnector.connector {
  const lookup: LookupFunction = (host, options, callback) => {
    addressesOf(host, rules).then(
      (addresses) => {
        const [first] = addresses
        if (options.all || !first) callback(null, [...addresses])
        else callback(null, first.address, first.family)
      },
      (error) => callback(error, ''),
    )
  }
  const connect = buildConnector({ lookup, timeout: CONNECT_TIMEOUT_MS })
  return (target, callback) => {
    const host = target.hostname.replace(/^\[|\]$/g, '')
    if (isIP(host) === 0) return connect(target, callback)
    // For an address nothing is looked up.
    addressesOf(host, rules).then(
      () => connect(target, callback),
      (error) => callback(error, null),
    )
  }
}
