import { describe, expect, it } from 'vitest'
import { nextTryInSeconds } from '../../server/webhook/next-try.ts'
import { AddressRefused, addressesOf, hostOf, isPublicAddress } from '../../server/webhook/public-address.ts'

describe('the next try', () => {
  const plain = (attempts: number) => nextTryInSeconds(attempts, 0.5)

  it('comes after 5 s, 30 s, 2 min, 10 min, 30 min and then hourly', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 50].map(plain)).toEqual([5, 30, 120, 600, 1800, 3600, 3600, 3600])
  })

  it('is a fifth sooner or later', () => {
    expect([nextTryInSeconds(2, 0), nextTryInSeconds(2, 0.999_999)]).toEqual([24, expect.closeTo(36, 3)])
  })

  it('is the last one when three days are over', () => {
    let attempts = 1
    let seconds = 0
    for (let wait = plain(attempts); wait !== null; wait = plain(++attempts)) seconds += wait
    expect(seconds).toBeLessThanOrEqual(3 * 86_400)
    expect(seconds).toBeGreaterThan(3 * 86_400 - 3600)
    expect(plain(attempts + 1000)).toBeNull()
  })
})

describe('an address', () => {
  it.each(['8.8.8.8', '1.1.1.1', '47.96.0.1', '172.32.0.1', '2606:4700::1111', '2400:3200::1'])(
    '%s is public',
    (address) => {
      expect(isPublicAddress(address)).toBe(true)
    },
  )

  it.each([
    ...[
      '127.0.0.1',
      '127.255.255.254',
      '0.0.0.0',
      '0.1.2.3',
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.0.1',
    ],
    ...['169.254.169.254', '100.64.0.1', '100.100.100.200', '192.0.0.8', '192.0.2.1', '198.18.0.1', '198.51.100.1'],
    ...['203.0.113.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '192.88.99.1'],
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fc00::1', 'fd12::1', 'fec0::1', 'ff02::1', '2001:db8::1', '100::1'],
    ...[
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
    ],
    ...['', 'localhost', '8.8.8', '8.8.8.8.8', '1', 'x'],
  ])('%s is not', (address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('the addresses of a host', () => {
  const resolve =
    (...addresses: string[]) =>
    async () =>
      addresses.map((address) => ({ address, family: 4 }))

  it('are those that were found, when each is public', async () => {
    const found = await addressesOf('a.example', { allowPrivate: false, resolve: resolve('8.8.8.8', '1.1.1.1') })
    expect(found.map(({ address }) => address)).toEqual(['8.8.8.8', '1.1.1.1'])
  })

  it.each([[['8.8.8.8', '10.0.0.1']], [['127.0.0.1']], [[]]])('are refused as a whole: %j', async (addresses) => {
    const found = addressesOf('localhost.', { allowPrivate: false, resolve: resolve(...addresses) })
    await expect(found).rejects.toThrow(AddressRefused)
  })

  it.each(['http://[::1]/', 'http://127.1/', 'http://0x7f.1/', 'http://017700000001/', 'https://[::ffff:7f00:1]/'])(
    'are its own when it is one, however it is spelled: %s',
    async (url) => {
      const asked = addressesOf(hostOf(url), { allowPrivate: false, resolve: resolve('8.8.8.8') })
      await expect(asked).rejects.toThrow('which is not public')
    },
  )

  it('may be private where that is allowed, but must be some', async () => {
    expect(await addressesOf('10.0.0.1', { allowPrivate: true })).toEqual([{ address: '10.0.0.1', family: 4 }])
    await expect(addressesOf('a.example', { allowPrivate: true, resolve: resolve() })).rejects.toThrow('has no address')
  })
})
