import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Every address of a host. */
export type ResolveHost = (host: string) => Promise<readonly LookupAddress[]>

const resolveBySystem: ResolveHost = (host) => lookup(host, { all: true, verbatim: true })

/** Which addresses may be connected to, and who tells them; by default the system's resolver. */
export interface AddressRules {
  allowPrivate: boolean
  resolve?: ResolveHost | undefined
}

/** A host has no address, or one that is not public. */
export class AddressRefused extends Error {
  constructor(detail: string) {
    super(detail)
    this.name = 'AddressRefused'
  }
}

/** Whether the Internet leads to it. Not: this machine, private and link-local networks (cloud metadata), carriers' NAT, multicast, what is
 *  reserved, and every IPv6 form that stands for an IPv4 address, mapped or translated. Source: the registries of RFC 6890, by ipaddr.js;
 *  of IPv6 only 2000::/3 is given out as unicast (IANA, "IPv6 Global Unicast Address Assignments"). */
export function isPublicAddress(address: string): boolean {
  if (isIP(address) === 0) return false
  const parsed = ipaddr.parse(address)
  return parsed.range() === 'unicast' && (parsed.kind() === 'ipv4' || parsed.match(globalUnicast))
}

const globalUnicast = ipaddr.parseCIDR('2000::/3')

/** The addresses of `host`, a name or an address. Throws AddressRefused unless each may be connected to, for the caller may be led to
 *  any of them; and whatever `resolve` throws. */
export async function addressesOf(
  host: string,
  { allowPrivate, resolve = resolveBySystem }: AddressRules,
): Promise<readonly LookupAddress[]> {
  const family = isIP(host)
  const addresses = family === 0 ? await resolve(host) : [{ address: host, family }]
  if (addresses.length === 0) throw new AddressRefused(`${host} has no address`)
  const refused = allowPrivate ? undefined : addresses.find(({ address }) => !isPublicAddress(address))
  if (refused) throw new AddressRefused(`${host} leads to ${refused.address}, which is not public`)
  return addresses
}

/** The host of a URL as it is resolved: without the brackets of an IPv6 address. WHATWG URLs have one form for each IPv4 address. */
export function hostOf(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}
