import { once } from 'node:events'
import { createServer, type Server } from 'node:net'

/* Ports are free only at the moment of the question, and what is to listen on them starts seconds later. So they are not the kernel's, which
 * gives a port that was closed to the next who asks or connects, but from below its range, out of a block that this process alone uses. */
const firstBlock = 10_000
const portsOfBlock = 100
const blocks = 200

let block: Promise<number> | undefined
let used = 0

/** Ports of 127.0.0.1 that nobody listens on; all different, and no other test process gets them while this one lives. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = await nextPort()
    if (!(await isTaken(port))) ports.push(port)
  }
  return ports
}

async function nextPort(): Promise<number> {
  if (!block || used === portsOfBlock - 1) {
    block = takeBlock()
    used = 0
  }
  used += 1
  const place = used
  return (await block) + place
}

/** Whether something listens on the port. */
export async function isTaken(port: number): Promise<boolean> {
  const server = await listen(port)
  if (!server) return true
  server.close()
  await once(server, 'close')
  return false
}

/** Takes a block by listening on its first port for as long as this process lives: the others see that it is somebody's. */
async function takeBlock(): Promise<number> {
  for (let tries = 0; tries < blocks; tries++) {
    const firstPort = firstBlock + portsOfBlock * ((process.pid + tries) % blocks)
    const guard = await listen(firstPort)
    if (!guard) continue
    guard.unref()
    return firstPort
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
