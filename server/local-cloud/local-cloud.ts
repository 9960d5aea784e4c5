import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { CALLBACK_KEY_PATH } from './callback/callback-key.ts'
import { createControlServer } from './control-server.ts'
import type { CorsRule } from './cors.ts'
import { createFaults, type Faults } from './faults.ts'
import { openStore, type Store } from './files/store.ts'
import { type AccessKey, createIdentities, type RoleOption, type UserOption } from './identities.ts'
import { createOssServer } from './oss-server.ts'
import { createRequestCounters, type RequestCounters } from './request-counters.ts'
import { checkedBucket } from './resolve-bucket.ts'
import { createSecurityTokens } from './security-token.ts'
import { createStsServer } from './sts-server.ts'
import { asElement, childrenNamed, parseXml, type XmlElement } from './xml.ts'

export interface LocalCloudOptions {
  /** Everything stored lives here; created if missing. One local cloud at a time. */
  readonly dataDir: string
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** 0 (the default) takes a free port. */
  readonly ossPort?: number
  readonly stsPort?: number
  /** Opens the control port for faults, counters and the clock. Off when absent: it needs no key. */
  readonly controlPort?: number
  /** Host name or address written into URLs, where it differs from `host`. */
  readonly publicHost?: string
  /** Default `cn-hangzhou`. */
  readonly region?: string
  /** Owner of buckets, users and roles. Default 1000000000000000. */
  readonly accountId?: string
  /** Made at start where missing. */
  readonly buckets?: readonly string[]
  /** CORS rules of buckets made at start. */
  readonly corsRules?: readonly CorsRule[]
  /** The LifecycleConfiguration of buckets made at start, as XML. */
  readonly lifecycle?: string
  /** The key that may do everything, and may not assume roles. */
  readonly rootKey?: AccessKey
  readonly users?: readonly UserOption[]
  readonly roles?: readonly RoleOption[]
  /** Host name → bucket. */
  readonly cnames?: Readonly<Record<string, string>>
  /** Takes legacy signatures. Default true. */
  readonly signatureV1?: boolean
  /** Answers path style with SecondLevelDomainForbidden, as the public service does. Default false. */
  readonly forbidPathStyle?: boolean
  /** Longest pause in a body before RequestTimeout. Default 30 seconds. */
  readonly bodyTimeoutMs?: number
  /** How long a callback waits for its answer. Default 5 seconds, as the service. */
  readonly callbackTimeoutMs?: number
  /** Seed of fault probabilities. Default 1. */
  readonly faultSeed?: number
  readonly now?: () => Date
  readonly log?: (message: string, fields: Record<string, unknown>) => void
}

export interface LocalCloud {
  readonly ossUrl: string
  readonly stsUrl: string
  readonly controlUrl: string | null
  readonly region: string
  readonly faults: Faults
  readonly requests: RequestCounters
  /** Stops at once, cutting what is open, and lets go of the data directory. */
  close(): Promise<void>
}

export const DEFAULT_ROOT_KEY: AccessKey = {
  accessKeyId: 'LTAI-partway-local',
  accessKeySecret: 'partway-local-secret',
}

/** Starts the stand-in for OSS and STS. Throws when the data directory is in use or damaged, a port is taken, or an option makes
 *  no sense. */
export async function startLocalCloud(options: LocalCloudOptions): Promise<LocalCloud> {
  const { host = '127.0.0.1', region = 'cn-hangzhou', accountId = '1000000000000000', now = () => new Date() } = options
  const log = options.log ?? (() => undefined)
  const publicHost = options.publicHost ?? host
  const faults = createFaults(options.faultSeed)
  const requests = createRequestCounters()
  const store = await openStore(options.dataDir)
  const servers: Server[] = []
  let idle = async () => {}
  const close = async () => {
    await Promise.all(servers.map(closeServer))
    // Their connections are gone, so they end soon; a fault rule's long delay is not worth waiting for.
    await Promise.race([idle(), sleep(2_000, undefined, { ref: false })])
    await store.close()
  }
  try {
    const identities = createIdentities({
      accountId,
      rootKey: options.rootKey ?? DEFAULT_ROOT_KEY,
      users: options.users ?? [],
      roles: options.roles ?? [],
      tokens: createSecurityTokens(store.masterKey),
    })
    await makeBuckets(store, options, now())
    let ossUrl = ''
    const oss = createOssServer({
      store,
      identities,
      faults,
      requests,
      region,
      accountId,
      now,
      log,
      cnames: new Map(Object.entries(options.cnames ?? {})),
      hostSuffixes: [...new Set(['localhost', publicHost, host])].filter(
        (name) => /[a-z]/i.test(name) && !name.includes(':'),
      ),
      forbidPathStyle: options.forbidPathStyle ?? false,
      signatureV1: options.signatureV1 ?? true,
      bodyTimeoutMs: options.bodyTimeoutMs ?? 30_000,
      callbacks: {
        sign: store.callbackKey.sign,
        keyUrl: () => `${ossUrl}${CALLBACK_KEY_PATH}`,
        timeoutMs: options.callbackTimeoutMs ?? 5_000,
      },
    })
    idle = oss.idle
    const listen = async (server: Server, port: number) => {
      servers.push(server)
      return `http://${publicHost.includes(':') ? `[${publicHost}]` : publicHost}:${await listenOn(server, host, port)}`
    }
    ossUrl = await listen(oss.server, options.ossPort ?? 0)
    const stsUrl = await listen(createStsServer({ identities, faults, requests, now, log }), options.stsPort ?? 0)
    const { controlPort } = options
    const controlUrl =
      controlPort === undefined ? null : await listen(createControlServer({ faults, requests }), controlPort)
    return { ossUrl, stsUrl, controlUrl, region, faults, requests, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function makeBuckets(store: Store, options: LocalCloudOptions, now: Date): Promise<void> {
  for (const name of options.buckets ?? []) {
    const cors = options.corsRules?.length ? { rules: options.corsRules, responseVary: false } : null
    await store.buckets.create({
      name: checkedBucket(name),
      createdAt: now.getTime(),
      acl: 'private',
      cors,
      lifecycle: options.lifecycle === undefined ? null : lifecycleOf(options.lifecycle),
    })
  }
}

function lifecycleOf(xml: string): XmlElement[] {
  return childrenNamed(parseXml(xml, 'LifecycleConfiguration'), 'Rule').map(asElement)
}

function listenOn(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
