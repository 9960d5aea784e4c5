import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/* Ports are free only at the moment of the question, and what is to listen on them starts seconds later. So they are not the kernel's, which
 * gives a port that was closed to the next who asks or connects, but from below its range, out of a block that this process alone uses. */
const firstBlock = 10_000
const portsOfBlock = 100
const blocks = 200

let guard: Promise<{ server: Server; firstPort: number }> | undefined
let used = 0

/** Ports of 127.0.0.1 that nobody listens on; all different, and no other test process gets them while this one lives. */
export async function freePorts(count: number): Promise<number[]> {
  guard ??= takeBlock()
  const { firstPort } = await guard
  const ports: number[] = []
  while (ports.length < count) {
    used += 1
    if (used === portsOfBlock) throw new Error(`all ${portsOfBlock} ports from ${firstPort} on were given out`)
    const port = firstPort + used
    if (!(await isTaken(port))) ports.push(port)
  }
  return ports
}

/** Whether something listens on the port. */
export async function isTaken(port: number): Promise<boolean> {
  const server = await listen(port)
  if (!server) return true
  server.close()
  await once(server, 'close')
  return false
}

/** Listens on the first port of a block for as long as this process lives: the others see that it is somebody's. */
async function takeBlock(): Promise<{ server: Server; firstPort: number }> {
  for (let tries = 0; tries < blocks; tries++) {
    const firstPort = firstBlock + portsOfBlock * ((process.pid + tries) % blocks)
    const server = await listen(firstPort)
    if (server) return { server: server.unref(), firstPort }
  }
  throw new Error('no block of ports is free')
}

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(null))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
