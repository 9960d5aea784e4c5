import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePorts, isTaken } from '../support/free-ports.ts'
import { type PartwayProcess, runPartway } from '../support/partway-process.ts'

// One data directory for the whole file, with the embedded Postgres: the tests tell one life of a server, in order.
let dataDir: string
let env: Record<string, string>
let url: string
let ports: number[]
let server: PartwayProcess
const running = new Set<PartwayProcess>()

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'partway-serve-'))
  // As root, Postgres runs as another user: a folder closed to it would have it keep its data elsewhere, for ever.
  await chmod(dataDir, 0o755)
  ports = await freePorts(3)
  const [http, oss, sts] = ports
  env = {
    PARTWAY_DATA_DIR: dataDir,
    PORT: `${http}`,
    LOCAL_OSS_PORT: `${oss}`,
    LOCAL_STS_PORT: `${sts}`,
    LOG_LEVEL: 'info',
  }
  url = `http://127.0.0.1:${http}`
})
afterAll(async () => {
  for (const one of running) one.child.kill('SIGTERM')
  await Promise.all([...running].map((one) => one.ended))
  await rm(dataDir, { recursive: true, force: true })
})

async function serve(nodeArgs: readonly string[] = []): Promise<PartwayProcess> {
  const started = runPartway(['serve'], env, nodeArgs)
  running.add(started)
  void started.ended.then(() => running.delete(started))
  let hasEnded = false
  void started.ended.then(() => {
    hasEnded = true
  })
  await expect
    .poll(async () => hasEnded || ((await isReady()) && started.stdout().includes('Upload')), {
      timeout: 50_000,
      interval: 50,
    })
    .toBe(true)
  expect([hasEnded, started.stderr()]).toEqual([false, ''])
  return started
}
const isReady = async () => (await fetch(`${url}/readyz`).catch(() => null))?.ok === true
const cli = async (...args: string[]) => {
  const one = runPartway(args, env)
  return { code: await one.ended, stdout: one.stdout(), stderr: one.stderr() }
}
/** As with `| head`, which has gone before the first line. */
const unread = async (...args: string[]) => {
  const one = runPartway(args, env)
  one.child.stdout?.destroy()
  return { code: await one.ended, stderr: one.stderr() }
}
/** The process id of the server's local cloud. */
const cloudPid = (parent: PartwayProcess) =>
  Number(execFileSync('pgrep', ['-P', `${parent.child.pid}`, '-f', 'local-cloud'], { encoding: 'utf8' }).trim())
const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('partway serve', { timeout: 120_000 }, () => {
  test('needs no variable but ports, and prints one table of what it started', async () => {
    server = await serve()
    const table = server
      .stdout()
      .split('\n')
      .filter((line) => line.startsWith('  '))
    for (const name of [
      'Page',
      'Admin page',
      'API',
      'Docs',
      'OSS',
      'STS',
      'Postgres',
      'User token',
      'Admin token',
      'Upload',
    ]) {
      expect(table.filter((line) => line.trim().startsWith(name))).toHaveLength(1)
    }
    expect(server.stdout()).not.toMatch(/postgres:\/\/|password/i)
    const token = /User token\s+(\S+)/.exec(server.stdout())?.[1]
    expect((await fetch(`${url}/v1/uploads`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200)
  })

  test('leaves the CLI what it needs, for its owner’s eyes only', async () => {
    for (const file of ['local.json', 'jwt-secret']) expect((await stat(join(dataDir, file))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(dataDir, 'local.json'), 'utf8'))).toMatchObject({
      url,
      pid: server.child.pid,
    })
    expect(await cli('list')).toMatchObject({ code: 0, stdout: 'There are no uploads.\n' })
    const doctor = await cli('doctor', '--json')
    expect(doctor).toMatchObject({ code: 0, stderr: '' })
    const { ok, checks } = JSON.parse(doctor.stdout)
    expect([ok, checks.map((check: { name: string; status: string }) => `${check.name} ${check.status}`)]).toEqual([
      true,
      [
        'configuration ok',
        'database ok',
        'storage ok',
        'public endpoint ok',
        'bucket CORS ok',
        'bucket lifecycle ok',
        'overwriting ok',
        'clock ok',
        'vended credentials ok',
        'tokens ok',
      ],
    ])
  })

  test('mints tokens that its server takes, and lists and aborts what they made', async () => {
    const minted = await cli('token', '--sub', 'local-user', '--scope', 'uploads', '--ttl', '60')
    const created = await fetch(`${url}/v1/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${minted.stdout.trim()}`, 'content-type': 'application/json' },
      body: JSON.stringify({ fileName: 'kept.bin', sizeBytes: 5 }),
    })
    const { upload } = await created.json()
    expect((await cli('list')).stdout).toContain('kept.bin')
    expect(JSON.parse((await cli('list', '--json')).stdout)).toEqual(upload)
    expect(await unread('list')).toEqual({ code: 0, stderr: '' })
    expect(await cli('abort', `upl_${'0'.repeat(32)}`)).toMatchObject({ code: 1, stderr: 'No such upload\n' })
    expect(await cli('abort', 'nonsense')).toMatchObject({ code: 2 })
    expect((await cli('abort', upload.id)).stdout).toMatch(/is abort(ed|ing)/)
  })

  test('refuses to run twice on one data directory, and says where the other is', async () => {
    const second = await cli('serve')
    expect(second).toMatchObject({ code: 1, stdout: '' })
    expect(second.stderr).toContain(url)
  })

  test('starts its local cloud again when that dies', async () => {
    const first = cloudPid(server)
    process.kill(first, 'SIGKILL')
    await expect.poll(() => isAlive(first)).toBe(false)
    await expect.poll(isReady, { timeout: 15_000 }).toBe(true)
    expect(cloudPid(server)).not.toBe(first)
  })

  test('when killed leaves no local cloud behind, and the next start finds everything', async () => {
    const cloud = cloudPid(server)
    server.child.kill('SIGKILL')
    await server.ended
    const startedAt = performance.now()
    server = await serve()
    console.log(`ready ${Math.round(performance.now() - startedAt)} ms after kill -9`)
    expect(isAlive(cloud)).toBe(false)
    expect((await cli('list')).stdout).toContain('kept.bin')
  })

  test('on SIGTERM lets a request under way finish, takes no other, and leaves nothing running', async () => {
    const cloud = cloudPid(server)
    // A request whose body is still on its way when the signal comes.
    const token = (await cli('token')).stdout.trim()
    const body = JSON.stringify({ fileName: 'late.bin', sizeBytes: 5 })
    const slow = request(`${url}/v1/uploads`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'content-length': body.length },
    })
    const answered = once(slow, 'response')
    slow.write(body.slice(0, 5))
    // The server has read the head once it has answered a later request on another connection.
    await fetch(`${url}/healthz`)
    server.child.kill('SIGTERM')
    await expect.poll(() => canConnect(ports[0] ?? 0)).toBe(false)
    slow.end(body.slice(5))
    const [response] = await answered
    expect(response.statusCode).toBe(201)
    response.resume()
    expect(await server.ended).toBe(0)
    expect(isAlive(cloud)).toBe(false)
    expect(await Promise.all(ports.map(isTaken))).toEqual([false, false, false])
    await expect(access(join(dataDir, 'local.json'))).rejects.toThrow()
    expect(server.stderr()).toBe('')
  })

  test('ends in time even when a request never does, and at once on a second signal', async () => {
    for (const signals of [1, 2]) {
      server = await serve()
      const hanging = connect(ports[0] ?? 0, '127.0.0.1')
      hanging.on('error', () => {})
      const token = (await cli('token')).stdout.trim()
      hanging.write(
        `POST /v1/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{`,
      )
      await fetch(`${url}/healthz`)
      server.child.kill('SIGTERM')
      await expect.poll(() => server.stdout()).toContain('stopping')
      if (signals === 2) server.child.kill('SIGINT')
      expect(await server.ended).toBe(signals === 2 ? 1 : 0)
      hanging.destroy()
    }
  })

  test('tells of a bug and ends, so that a supervisor starts it anew', async () => {
    // Waits until the server listens for such accidents, and causes one.
    const bug = `if (process.argv[2] === 'serve') {
      const timer = setInterval(() => {
        if (process.listenerCount('unhandledRejection') === 0) return
        clearInterval(timer)
        Promise.reject(new Error('nobody handled this'))
      }, 20)
    }`
    const broken = runPartway(['serve'], env, ['--import', `data:text/javascript,${encodeURIComponent(bug)}`])
    expect(await broken.ended).toBe(1)
    expect(broken.stdout()).toContain('nobody handled this')
    await expect.poll(() => Promise.all(ports.map(isTaken)), { timeout: 15_000 }).toEqual([false, false, false])
  })

  describe('that cannot start', () => {
    let other: Server
    afterAll(() => other?.close())

    test('says which port is taken and which variable moves it', async () => {
      other = createServer()
      await new Promise<void>((resolve) => other.listen(ports[0], '127.0.0.1', resolve))
      const failed = await cli('serve')
      expect(failed.code).toBe(1)
      expect(failed.stderr).toBe(
        `Port ${ports[0]} on 127.0.0.1 is taken by another program. Stop that one, or set PORT to a free port.\n`,
      )
    })

    test('lists every bad variable, and ends with the code for wrong usage', async () => {
      const failed = runPartway(['serve'], {
        ...env,
        PORT: 'x',
        TRUST_PROXY: 'true',
        JWT_SECRET: 'cAnArY',
        PARTWAY_ENV: 'production',
      })
      expect(await failed.ended).toBe(2)
      for (const name of ['PORT', 'TRUST_PROXY', 'JWT_SECRET', 'DATABASE_URL', 'OSS_BUCKET'])
        expect(failed.stderr()).toContain(`  ${name} `)
      expect(failed.stderr()).not.toContain('cAnArY')
    })
  })
})

describe('a local cloud whose parent has gone', () => {
  test.each([0, 400, 1_000])('before it was up ends too (after %i ms)', async (delayMs) => {
    const [oss, sts] = await freePorts(2)
    const { child, ended } = runPartway(
      ['local-cloud', '--child'],
      { PARTWAY_DATA_DIR: join(dataDir, `orphan-${delayMs}`), LOCAL_OSS_PORT: `${oss}`, LOCAL_STS_PORT: `${sts}` },
      [],
      true,
    )
    // Not waited for but chosen: whatever the child is doing at that moment, it must notice.
    await delay(delayMs)
    child.disconnect()
    expect(await ended).toBe(0)
    expect(await isTaken(oss ?? 0)).toBe(false)
  })
})

describe('the command line', () => {
  test('documents its exit codes, and ends with 2 for what it does not know', async () => {
    const help = await cli('--help')
    expect(help.code).toBe(0)
    for (const word of ['serve', 'upload', 'doctor', 'Exit codes']) expect(help.stdout).toContain(word)
    for (const help of [['--help'], ['upload', '--help']])
      expect(await unread(...help)).toEqual({ code: 0, stderr: '' })
    const wrong = [['nonsense'], ['serve', '--nonsense'], ['token', '--scope', 'nonsense'], ['list', '--limit', '0']]
    const codes = await Promise.all(wrong.map(async (args) => (await cli(...args)).code))
    expect(codes).toEqual([2, 2, 2, 2])
  })

  test('says 4 when the server cannot be reached, 5 when there is no token, 2 when no server is known', async () => {
    const [port] = await freePorts(1)
    const ended = async (environment: Record<string, string>) =>
      runPartway(['list'], { PARTWAY_DATA_DIR: join(dataDir, 'none'), ...environment }).ended
    expect(await ended({ PARTWAY_URL: `http://127.0.0.1:${port}`, PARTWAY_TOKEN: 'x' })).toBe(4)
    expect(await ended({ PARTWAY_URL: `http://127.0.0.1:${port}` })).toBe(5)
    expect(await ended({})).toBe(2)
  })

  test('mints no token in production', async () => {
    const production = {
      PARTWAY_ENV: 'production',
      JWT_SECRET: 'x'.repeat(32),
      OSS_BUCKET: 'b-b',
      DATABASE_URL: 'postgres://x/y',
    }
    const failed = runPartway(['token'], production)
    expect([await failed.ended, failed.stdout()]).toEqual([2, ''])
  })
})

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
