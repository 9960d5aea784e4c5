import { startTestCloud } from '../support/local-cloud.ts'

/* A local cloud in a process of its own. The options come as JSON in the first argument; messages to the parent: the URLs once
 * it listens, and the resident memory whenever it is asked. */

const cloud = await startTestCloud(JSON.parse(process.argv[2] ?? '{}'))
process.send?.({ ossUrl: cloud.ossUrl, stsUrl: cloud.stsUrl, controlUrl: cloud.controlUrl })
process.on('message', () => process.send?.({ rssBytes: process.memoryUsage.rss() }))
process.on('disconnect', () => process.exit())
